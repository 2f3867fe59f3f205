// The query tab: an editor with Microsoft's language service behind it, the shipped queries, and results as a grid.
"use strict";

const CHECK_AFTER_MILLISECONDS = 250;
// Every column's: a long text is cut, as in the workbook's lists, and a click shows all of it.
const ALL_OF_IT = { name: "*", formatter: "automatic", linkTarget: "CellDetails", thresholds: [] };

/** The language service: ask(kind, {…}) answers when the worker has. */
const languageService = () => {
  const worker = new Worker("page/kql-worker.js");
  const waiting = new Map();
  let next = 1;
  let ready;
  const loaded = new Promise((resolve) => { ready = resolve; });
  worker.addEventListener("message", ({ data: { id, answer, error } }) => {
    if (id === 0) return ready();
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    return error ? reject(new Error(error)) : resolve(answer);
  });
  return async (kind, given) => {
    await loaded;
    return new Promise((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, kind, ...given });
    });
  };
};

const load = (address) => new Promise((resolve, reject) => {
  document.head.append(View.element("script", { src: address, load: resolve, error: () => reject(new Error(address)) }));
});

/** Draws the tab into `into`, once. */
View.query = async (into) => {
  await load("libraries/codemirror.js");
  await load("libraries/show-hint.js");
  const schema = await (await fetch("api/schema")).json();
  const ask = languageService();
  ask("schema", schema);

  const result = View.element("div", { class: "result", role: "status" });
  const problems = View.element("ul", { class: "problems", "aria-label": "What is wrong with the query" });
  const place = View.element("div", { class: "editor" });
  const run = View.element("button", { type: "button", class: "main" }, "Run");
  const names = View.element("ul", { class: "shipped" }, ...schema.queries.map((query) => View.element("li", {},
    View.element("button", { type: "button", class: "link", click: () => { editor.setValue(query.kql); answer(); } }, query.name))));
  into.replaceChildren(View.element("div", { class: "query" },
    View.element("aside", {}, View.element("h2", {}, "Shipped queries"), names),
    View.element("div", { class: "asking" }, place,
      View.element("div", { class: "grid-tools" }, run,
        View.element("span", { class: "quiet" }, "Ctrl+Enter runs it, Ctrl+Space completes.")), problems, result)));

  const complete = async (cm) => {
    const cursor = cm.getCursor();
    const { from, items } = await ask("complete", { text: cm.getValue(), at: cm.indexFromPos(cursor) });
    return {
      from: cm.posFromIndex(from),
      to: cursor,
      list: items.slice(0, 200).map((item) => ({
        text: item.before,
        displayText: item.shown,
        hint: (_cm, data) => {
          cm.replaceRange(item.before + item.after, data.from, data.to, "complete");
          cm.setCursor(cm.posFromIndex(cm.indexFromPos(data.from) + item.before.length));
        },
      })),
    };
  };
  const editor = CodeMirror(place, {
    value: `${schema.table}\n| summarize arg_max(TimeGenerated, *) by FindingKey\n| where State == "Open"\n| project TimeGenerated, Severity, RuleId, Summary, FixCommand\n| order by TimeGenerated desc`,
    lineNumbers: true,
    lineWrapping: true,
    viewportMargin: Infinity,
    extraKeys: {
      "Ctrl-Enter": () => answer(), "Cmd-Enter": () => answer(),
      "Ctrl-Space": (cm) => cm.showHint({ hint: complete, completeSingle: false }),
      // Tab leaves the editor, for those who have no mouse.
      Tab: false, "Shift-Tab": false,
    },
  });
  editor.getInputField().setAttribute("aria-label", "KQL query");

  let marks = [];
  let checked = 0;
  const check = async () => {
    const mine = ++checked;
    const text = editor.getValue();
    const found = await ask("check", { text });
    if (mine !== checked) return;
    for (const mark of marks) mark.clear();
    marks = found.map(({ start, end }) => editor.markText(editor.posFromIndex(start), editor.posFromIndex(end), { className: "wrong" }));
    problems.replaceChildren(...found.map(({ start, message }) => {
      const { line, ch } = editor.posFromIndex(start);
      return View.element("li", {}, `Line ${line + 1}, column ${ch + 1}: ${message}`);
    }));
  };
  let timer;
  editor.on("change", (cm, change) => {
    clearTimeout(timer);
    timer = setTimeout(check, CHECK_AFTER_MILLISECONDS);
    const typed = change.origin === "+input" ? change.text.join("") : "";
    if (/^[A-Za-z_.|]$/.test(typed)) cm.showHint({ hint: complete, completeSingle: false });
  });

  const answer = async () => {
    run.disabled = true;
    result.replaceChildren(View.element("p", { class: "quiet" }, "Asking …"));
    try {
      const found = await View.post("api/query", { kql: editor.getValue() });
      const item = { ...found, kind: "grid", name: "query result", title: "Result", settings: [ALL_OF_IT], labels: {}, filter: true,
        sort: [], exports: [], chosen: {} };
      View.forgetGrid(item.name);
      result.replaceChildren(found.rows.length ? View.grid(item, () => {}) : View.element("p", { class: "no-data" }, "The query returned no rows."));
    } catch (error) {
      result.replaceChildren(View.element("p", { class: "problem" }, error.message));
    } finally {
      run.disabled = false;
    }
  };
  run.addEventListener("click", answer);
  await check();
  // Until here the language service was still loading.
  place.dataset.ready = "true";
};
