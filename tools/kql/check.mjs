// Microsoft's KQL parser and semantic analyser over a batch of queries.
//
// Reads from stdin: {tables: [{name, columns: [{name, type}]}], functions: [{name, parameters, body}],
//                    queries: [{name, query}]}
// Writes to stdout: {functions: [{name, diagnostics}], queries: [{name, diagnostics, columns: [{name, type}]}]}
//                   with diagnostics: [{severity, code, message, line, column}]
//
// tools/kql/checker.py is the way to call it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// The two bundles are scripts that put `Bridge` and `Kusto` on the global object, in this order.
const require = createRequire(import.meta.url);
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;
const Enumerable = globalThis.Bridge.toArray;

// A table's schema says `bool` where a stream of a data collection rule says `boolean`.
const TYPES = { boolean: "bool" };

function tableSymbol({ name, columns }) {
  const schema = columns.map((column) => `${column.name}:${TYPES[column.type] ?? column.type}`);
  return new Symbols.TableSymbol.$ctor7(name, `(${schema.join(", ")})`, null);
}

function functionSymbol({ name, parameters, body }) {
  return new Symbols.FunctionSymbol.$ctor16(name, parameters || "()", `{ ${body}\n }`, null);
}

// Not open: a table that isn't listed is an error instead of a guess.
function globalsFor({ tables, functions }) {
  const members = [...tables.map(tableSymbol), ...functions.map(functionSymbol)];
  return GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1("workspace", members, false));
}

function position(text, start) {
  const before = text.slice(0, start).split("\n");
  return { line: before.length, column: before.at(-1).length + 1 };
}

function diagnosticsOf(code, text, firstLine = 1) {
  return Enumerable(code.GetDiagnostics()).map((diagnostic) => {
    const { line, column } = position(text, Math.max(0, diagnostic.Start));
    return {
      severity: diagnostic.Severity,
      code: diagnostic.Code,
      message: diagnostic.Message,
      line: Math.max(1, line - firstLine + 1),
      column,
    };
  });
}

function checkQuery({ name, query }, globals) {
  const code = KustoCode.ParseAndAnalyze(query, globals);
  const diagnostics = diagnosticsOf(code, query);
  const result = code.ResultType;
  if (!result && diagnostics.length === 0) {
    // An empty text is no error to the parser; as a query of ours it is.
    const message = "The query returns nothing.";
    diagnostics.push({ severity: "Error", code: "", message, line: 1, column: 1 });
  }
  const columns = result instanceof Symbols.TableSymbol ? Enumerable(result.Columns) : [];
  return {
    name,
    diagnostics,
    columns: columns.map((column) => ({ name: column.Name, type: column.Type.Name })),
  };
}

// A call says nothing of mistakes in the function's body, so each body is looked at on its own.
function checkFunction({ name, parameters, body }, globals) {
  const text = `let ${name} = ${parameters || "()"} {\n${body}\n};\nprint 0`;
  return { name, diagnostics: diagnosticsOf(KustoCode.ParseAndAnalyze(text, globals), text, 2) };
}

const request = JSON.parse(readFileSync(0, "utf8"));
const globals = globalsFor(request);
process.stdout.write(
  JSON.stringify({
    functions: request.functions.map((declared) => checkFunction(declared, globals)),
    queries: request.queries.map((query) => checkQuery(query, globals)),
  }),
);
