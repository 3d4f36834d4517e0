// Puts the player into a page, once a place, and takes it out again.

import { deskAt } from "./desks.js";
import { Work } from "./work.js";

const mounted = new WeakMap();

/** `root`: the element or shadow root that holds player.html. `address`: where the desk's requests
 *  go; see desks.js. `decided()` is called after an answer that the page around this shows, too.
 *  Returns what takes it out again. */
export function mount(root, address = "/api", decided = () => {}) {
  let work = mounted.get(root);
  if (!work) {
    work = new Work(root, deskAt(address), decided);
    mounted.set(root, work);
    work.start();
  }
  return () => {
    mounted.delete(root);
    work.close();
  };
}
