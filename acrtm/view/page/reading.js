// Where a reader is in an item: what has the focus, how far lists are scrolled, which menus are open. An item that is
// drawn anew gets it back, so that a keyboard does not start from the top, and a list does not jump, when findings come.
"use strict";

const FOCUSABLE = "a[href], button, input, select, summary, [tabindex]";

// By the name that its maker gave it; without one, by its place among those of its kind.
const nameOf = (item, element) => element.dataset.focus ??
  String([...item.querySelectorAll(element.localName)].indexOf(element));
const named = (item, { kind, name }) => [...item.querySelectorAll(kind)].find((one) => nameOf(item, one) === name);

/** Notes where the reader is in `item`; the function that it returns brings them there in the item drawn anew. */
View.reading = (item) => {
  const held = item.contains(document.activeElement) ? document.activeElement.closest(FOCUSABLE) : null;
  const focus = held && { kind: held.localName, name: nameOf(item, held) };
  // The row that holds what has the focus: the place to be if that itself is not there any more.
  const row = held?.closest("tr[data-focus]")?.dataset.focus;
  const caret = held?.localName === "input" && held.selectionStart !== null ? [held.selectionStart, held.selectionEnd] : null;
  const scrolled = [...item.querySelectorAll(".scroller, .menu")].map((one) => [one.scrollTop, one.scrollLeft]);
  const menus = [...item.querySelectorAll("details")].map((one) => one.open);
  return (made) => {
    made.querySelectorAll("details").forEach((one, at) => { one.open = menus[at] ?? false; });
    made.querySelectorAll(".scroller, .menu").forEach((one, at) => { [one.scrollTop, one.scrollLeft] = scrolled[at] ?? [0, 0]; });
    if (!focus) return;
    const places = [held.isConnected ? null : named(made, focus), row && named(made, { kind: "tr", name: row }),
      made.querySelector(FOCUSABLE)];
    // A text may be a button only when it is cut, so not every one takes the focus.
    const there = places.find((one) => { one?.focus({ preventScroll: true }); return one && document.activeElement === one; });
    if (caret && there?.localName === "input") there.setSelectionRange(...caret);
  };
};
