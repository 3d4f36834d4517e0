"""What WCAG 2.2 AA asks of a page and a machine can see, components with roots of their own too.

Contrast of texts (1.4.3), size of targets (2.5.8), names of controls (4.1.2), and whether one sees
where the focus is (2.4.7).
"""

from __future__ import annotations

from typing import Any

_TOOLS = """
const all = (root) => [...root.querySelectorAll("*")].flatMap((e) =>
  [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]);
const above = (e) => e.parentElement ?? e.getRootNode().host ?? null;
const within = (e, selector) => {
  for (let x = e; x; x = above(x)) if (x.matches(selector)) return true;
  return false;
};
const seen = (e) => {
  if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false;
  const box = e.getBoundingClientRect();
  return box.width > 1 && box.height > 1;
};
const controls = () => all(document).filter((e) =>
  e.matches("button, a[href], input:not([type=hidden], [type=date]), select, textarea, summary")
  && seen(e) && !e.disabled);
const called = (e) => (e.getAttribute("aria-label") ?? e.textContent.trim()).slice(0, 40)
  || e.outerHTML.slice(0, 120);
"""
_PALE = (
    "() => {"
    + _TOOLS
    + """
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    paint.clearRect(0, 0, 1, 1); paint.fillStyle = text; paint.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) =>
    [0, 1, 2].map((k) => top[k] * top[3] + below[k] * (1 - top[3])).concat(1);
  const behind = (e) => {
    if (!e) return [255, 255, 255, 1];
    const color = rgba(getComputedStyle(e).backgroundColor);
    return color[3] > 0.999 ? color : over(color, behind(above(e)));
  };
  const light = (c) => c.slice(0, 3)
    .map((v) => (v / 255 <= .04045 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0);
  const opacity = (e) => (e ? Number(getComputedStyle(e).opacity) * opacity(above(e)) : 1);
  const found = [];
  for (const e of all(document)) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    // A plot's marks say their numbers on cells whose colour nothing here knows.
    if (!own || !seen(e) || within(e, `style, script, .cover, [aria-disabled=true],
        [inert], :disabled, .mark-text:not([class*=role-axis], [class*=role-legend])`)) continue;
    const style = getComputedStyle(e);
    const color = rgba(e instanceof SVGElement ? style.fill : style.color);
    const ground = behind(e);
    color[3] *= opacity(e);
    const [a, b] = [light(over(color, ground)), light(ground)];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const px = parseFloat(style.fontSize);
    const large = px >= 24 || (px >= 18.6 && Number(style.fontWeight) >= 700);
    const icon = style.fontFamily.includes("Material");
    const least = large || icon ? 3 : 4.5;
    if (ratio < least) found.push(`${ratio.toFixed(2)} ${e.textContent.trim().slice(0, 40)}`);
  }
  return found;
}"""
)
# Links inside a sentence are exempt; so is what a label as large stands for.
_SMALL = (
    "() => {"
    + _TOOLS
    + """
  return controls().filter((e) => {
    if (e.localName === "a" && within(e, "p, li, td, label")) return false;
    const boxes = [e, ...(e.labels ?? [])].map((x) => x.getBoundingClientRect());
    return !boxes.some((box) => box.width >= 24 && box.height >= 24);
  }).map((e) => `${called(e)} ${JSON.stringify(e.getBoundingClientRect())}`);
}"""
)
_NAMELESS = (
    "() => {"
    + _TOOLS
    + """
  const named = (e) => e.getAttribute("aria-label")?.trim() || e.textContent.trim()
    || e.labels?.length || e.title
    || (e.getAttribute("aria-labelledby") ?? "").split(" ").some((id) =>
      e.getRootNode().getElementById(id)?.textContent.trim());
  return controls().filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 200));
}"""
)
_LOOKS = """
const drawn = (e) => {
  const family = [e];
  for (let x = e, k = 0; k < 4 && (x = above(x)); k += 1) family.push(x);
  family.push(...(e.parentElement?.children ?? []));
  return family.flatMap((x) => [null, "::before", "::after"].map((which) => {
    const s = getComputedStyle(x, which);
    return [s.outlineStyle === "none" ? "" : s.outline, s.boxShadow, s.borderColor,
      s.backgroundColor, s.opacity, s.textDecorationLine, s.transform].join();
  })).join("|");
};
const active = () => {
  let e = document.activeElement;
  while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  return e;
};
"""
_STAND_STILL = """() => {
  const still = `*, *::before, *::after {
    transition: none !important; animation: none !important; }`;
  for (const root of [document.head, ...[...document.querySelectorAll("*")]
      .map((e) => e.shadowRoot).filter(Boolean)]) {
    root.append(Object.assign(document.createElement("style"), { textContent: still }));
  }
}"""
_REMEMBER = (
    "() => {"
    + _TOOLS
    + _LOOKS
    + """
  document.activeElement?.blur();
  window.drawnBefore = new Map(all(document).filter((e) => e.tabIndex >= 0 && seen(e))
    .map((e) => [e, drawn(e)]));
}"""
)
_FOCUSED = (
    "() => {"
    + _TOOLS
    + _LOOKS
    + """
  const e = active();
  if (!e || e === document.body) return null;
  const before = window.drawnBefore.get(e);
  const changed = before === undefined || before !== drawn(e);
  return [called(e), changed, e.outerHTML.slice(0, 160)];
}"""
)


def faults(page: Any) -> list[str]:
    """What is pale, small or nameless on a page as it is."""
    pale = [f"pale: {found}" for found in page.evaluate(_PALE)]
    small = [f"small: {found}" for found in page.evaluate(_SMALL)]
    return pale + small + [f"nameless: {found}" for found in page.evaluate(_NAMELESS)]


def unseen_focus(page: Any, most: int = 60) -> list[str]:
    """Goes through a page with Tab; where one does not see that the focus is there."""
    page.evaluate(_STAND_STILL)
    page.evaluate(_REMEMBER)
    found: list[str] = []
    visited: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        now = page.evaluate(_FOCUSED)
        if now is None or (len(visited) > 3 and now[2] == visited[0]):
            break
        visited.append(now[2])
        # A table is a picture that draws its own mark around the cell.
        if not now[1] and "data-grid-canvas" not in now[2]:
            found.append(f"focus unseen: {now[0]}: {now[2]}")
    if not visited:
        found.append("nothing takes the focus")
    return found
