"use strict";
(() => {
  const root = document.documentElement;

  // Light, dark, or as the system likes it.
  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const dark = getComputedStyle(root).colorScheme === "dark" ||
      (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "light" : "dark";
  });

  // What a bar is, beside the pointer or the finger.
  const tip = document.getElementById("tip");
  const show = (event) => {
    const bar = event.target.closest("[data-tip]");
    tip.hidden = !bar;
    if (!bar) return;
    tip.textContent = bar.dataset.tip;
    const { width, height } = tip.getBoundingClientRect();
    const x = Math.min(event.clientX + 12, innerWidth - width - 8);
    const below = event.clientY + 16;
    tip.style.left = Math.max(8, x) + "px";
    tip.style.top = (below + height < innerHeight ? below : event.clientY - height - 10) + "px";
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  document.addEventListener("scroll", () => { tip.hidden = true; }, true);

  // Timelines can be stretched; what was in the middle stays there.
  const stretchable = (box) => {
    const scroller = box.querySelector(".scroller"), drawing = box.querySelector(".drawing");
    const buttons = box.querySelector(".zoom");
    const usual = Number(drawing.dataset.stretch);
    let stretch = usual;
    buttons.hidden = false;
    buttons.addEventListener("click", (event) => {
      const wanted = event.target.dataset.zoom;
      if (!wanted) return;
      const middle = (scroller.scrollLeft + scroller.clientWidth / 2) / scroller.scrollWidth;
      stretch = wanted === "fit" ? 1 : wanted === "usual" ? usual : stretch * Number(wanted);
      stretch = Math.min(Math.max(stretch, 1), 8 * usual);
      drawing.style.width = 100 * stretch + "%";
      scroller.scrollLeft = middle * scroller.scrollWidth - scroller.clientWidth / 2;
    });
  };
  document.querySelectorAll(".timeline").forEach(stretchable);

  // Further timelines lie packed in the page until they are opened.
  const unpack = async (folded) => {
    const packed = folded.dataset.packed;
    if (!packed) return;
    delete folded.dataset.packed;
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    folded.insertAdjacentHTML("beforeend", await new Response(plain).text());
    folded.querySelectorAll(".timeline").forEach(stretchable);
  };
  for (const folded of document.querySelectorAll("details[data-packed]")) {
    folded.addEventListener("toggle", () => unpack(folded));
  }

  // A click on a picture plays the clip in its place; without scripts the link opens it.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.play");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const video = document.createElement("video");
    video.controls = video.autoplay = video.playsInline = true;
    video.poster = link.querySelector("img").src;
    video.setAttribute("aria-label", link.getAttribute("aria-label"));
    video.addEventListener("error", () => {
      const blank = document.createElement("div");
      blank.className = "blank";
      blank.textContent = "This clip is not beside the page: " + link.getAttribute("href");
      video.replaceWith(blank);
    });
    video.src = link.href;
    link.replaceWith(video);
    video.focus();
  });

  // One clip plays at a time.
  document.addEventListener("play", (event) => {
    for (const video of document.querySelectorAll("video")) {
      if (video !== event.target) video.pause();
    }
  }, true);

  // On paper everything that is folded is open.
  addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details.print")) folded.open = true;
  });
})();
