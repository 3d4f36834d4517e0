// Puts the player into a page, once a place, and takes it out again.

import { Work } from "./work.js";

const mounted = new WeakMap();

/** `root`: the element or shadow root that holds player.html. Returns what takes it out again. */
export function mount(root) {
  let work = mounted.get(root);
  if (!work) {
    work = new Work(root);
    mounted.set(root, work);
    work.start();
  }
  return () => {
    mounted.delete(root);
    work.close();
  };
}
