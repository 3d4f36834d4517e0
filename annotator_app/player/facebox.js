// The box around the marked person's face, frame by frame.

/** The index of the frame that is shown at a time: the last that has begun. */
export function frameAt(times_ms, ms) {
  let low = 0;
  let high = times_ms.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times_ms[middle] <= ms) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The box at a time, [x1, y1, x2, y2] in px; between two frames it is between their boxes.
 *  null while the face is not in sight. */
export function boxAt(times_ms, boxes, ms) {
  const k = frameAt(times_ms, ms);
  const [here, next] = [boxes[k], boxes[k + 1]];
  if (!here || !next) return here ?? null;
  const share = Math.min(1, Math.max(0, (ms - times_ms[k]) / (times_ms[k + 1] - times_ms[k])));
  return here.map((value, side) => value + share * (next[side] - value));
}

const ROUNDING_MS = 1.5; // times are whole milliseconds, a video's own are not

/** Moves `element` over the faces while the clip plays; returns what ends it. */
export function follow(video, task, element) {
  let alive = true;
  let handle = 0;
  const exact = "requestVideoFrameCallback" in video;
  const draw = (ms) => {
    const box = boxAt(task.times_ms, task.boxes, ms);
    element.dataset.seen = box ? "yes" : "no";
    if (!box) return;
    const [x1, y1, x2, y2] = box;
    element.style.left = `${(100 * x1) / task.width}%`;
    element.style.top = `${(100 * y1) / task.height}%`;
    element.style.width = `${(100 * (x2 - x1)) / task.width}%`;
    element.style.height = `${(100 * (y2 - y1)) / task.height}%`;
  };
  const drawFrame = (ms) => draw(task.times_ms[frameAt(task.times_ms, ms + ROUNDING_MS)]);
  // The browser says which frame is on the screen; where it does not, the clock has to do.
  const onFrame = (_now, frame) => {
    if (!alive) return;
    drawFrame(frame.mediaTime * 1000);
    handle = video.requestVideoFrameCallback(onFrame);
  };
  const onTick = () => {
    if (!alive) return;
    draw(video.currentTime * 1000);
    handle = requestAnimationFrame(onTick);
  };
  // It says so of the next frame: one that is shown while it tells of the last is never told of,
  // and of a clip that stands still, frame by frame, no other one comes.
  const onSeeked = () => drawFrame(video.currentTime * 1000);
  video.addEventListener("seeked", onSeeked);
  draw(video.currentTime * 1000);
  handle = exact ? video.requestVideoFrameCallback(onFrame) : requestAnimationFrame(onTick);
  return () => {
    alive = false;
    video.removeEventListener("seeked", onSeeked);
    if (exact) video.cancelVideoFrameCallback(handle);
    else cancelAnimationFrame(handle);
  };
}
