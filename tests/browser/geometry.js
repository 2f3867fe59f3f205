// What sticks out of the window or of its own box, and which neighbours lie over each other.
() => {
  const wrong = [];
  const name = (element) => `${element.tagName}.${element.className} "${element.textContent.trim().slice(0, 40)}"`;
  const seen = (element) => element.checkVisibility() && element.getBoundingClientRect().width > 1;
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`the page is wider than the window`);
  const items = [...document.querySelectorAll("header, section.item:not(.group), .tile, .parameter, .tabs button, .menu")].filter(seen);
  for (const element of items) {
    const box = element.getBoundingClientRect();
    if (box.left < -1 || box.right > innerWidth + 1) wrong.push(`outside: ${name(element)}`);
    // An open menu lies over what is below its box.
    if (element.querySelector("details[open] > .menu")) continue;
    if (element.scrollWidth > element.clientWidth + 2 && getComputedStyle(element).overflowX === "visible") {
      wrong.push(`wider than its box: ${name(element)}`);
    }
    if (element.scrollHeight > element.clientHeight + 2 && getComputedStyle(element).overflowY === "visible") {
      wrong.push(`higher than its box: ${name(element)}`);
    }
  }
  for (const selector of ["section.item:not(.group)", ".tile", ".parameter", ".tabs button"]) {
    const boxes = [...document.querySelectorAll(selector)].filter(seen).map((element) => [element, element.getBoundingClientRect()]);
    boxes.forEach(([one, a], at) => boxes.slice(at + 1).forEach(([other, b]) => {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 1) wrong.push(`overlap: ${name(one)} and ${name(other)}`);
    }));
  }
  return wrong;
}
