// check.mjs SETS.json: what prometheus-operator would not know of ServiceMonitors and
// PrometheusRules, by the name of their set. Its types name every field, its schemas say what is in them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const MODELS = "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
const sets = JSON.parse(readFileSync(process.argv[2], "utf8"));
const folder = import.meta.dirname;

const models = {};
const faults = Object.fromEntries(Object.keys(sets).map((name) => [name, []]));
const owners = {};
for (const [name, objects] of Object.entries(sets)) {
  const source = [];
  for (const [number, object] of objects.entries()) {
    const kind = object.kind;
    models[kind] ??= (await import(`${MODELS}/${kind}`))[kind];
    const type = `import("${MODELS}/${kind}").I${kind}`;
    source.push(`export const o${number}: ${type} = ${JSON.stringify(object)};`);
    try {
      new models[kind](object).validate();
    } catch (error) {
      faults[name].push(`${kind} ${object.metadata.name}: ${error.message}`);
    }
  }
  const file = join(folder, `objects${Object.keys(owners).length}.ts`);
  writeFileSync(file, source.join("\n"));
  owners[file] = name;
}
const options = {
  strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ["lib.es5.d.ts"],
  module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
};
const program = ts.createProgram(Object.keys(owners), options);
for (const [file, name] of Object.entries(owners))
  for (const { messageText } of program.getSemanticDiagnostics(program.getSourceFile(file)))
    faults[name].push(ts.flattenDiagnosticMessageText(messageText, " "));
console.log(JSON.stringify(faults));
