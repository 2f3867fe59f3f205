// Microsoft's KQL language service, away from the page's own thread: it takes a second to load and a moment to answer.
"use strict";

importScripts("../libraries/bridge.js", "../libraries/kusto.js");

const { GlobalState, Symbols, Editor } = self.Kusto.Language;
const list = self.Bridge.toArray;
const KQL_TYPES = { boolean: "bool" };
let globals = GlobalState.Default;

const handlers = {
  schema({ table, columns }) {
    const typed = columns.map(({ name, type }) => `${name}: ${KQL_TYPES[type] ?? type}`).join(", ");
    const symbol = new Symbols.TableSymbol.$ctor7(table, `(${typed})`, null);
    globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1("workspace", [symbol], false));
    return true;
  },
  // Where something is wrong: offsets into the text, and words.
  check({ text }) {
    const code = new Editor.KustoCodeService.$ctor1(text, globals);
    return list(code.GetDiagnostics()).map(({ Start, Length, Severity, Message }) =>
      ({ start: Start, end: Start + Math.max(1, Length), severity: Severity, message: Message }));
  },
  // What can stand at a place; what has been typed of it begins at `from`.
  complete({ text, at }) {
    const info = new Editor.KustoCodeService.$ctor1(text, globals).GetCompletionItems(at);
    const typed = text.slice(info.EditStart, at).toLowerCase();
    const items = list(info.Items)
      .filter((item) => (item.MatchText || item.DisplayText).toLowerCase().startsWith(typed))
      .sort((one, other) => (one.OrderText < other.OrderText ? -1 : 1))
      .map((item) => ({ shown: item.DisplayText, before: item.BeforeText ?? item.DisplayText, after: item.AfterText ?? "" }));
    return { from: info.EditStart, items };
  },
};

self.addEventListener("message", ({ data: { id, kind, ...given } }) => {
  try {
    self.postMessage({ id, answer: handlers[kind](given) });
  } catch (error) {
    self.postMessage({ id, error: String(error) });
  }
});
self.postMessage({ id: 0, answer: "ready" });
