// Fails where the schema breaks, or endangers, what clients and supergraphs of the last release rely on.
// Usage: node check.mjs PYTHON [--release]
// --release makes the schema the one to compare with. A change that is meant is accepted by a line
// `# accepted: MESSAGE` in released.graphql, which the next release removes.
import { readFileSync, writeFileSync } from "node:fs";
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { buildSchema, parse, print, visit } from "graphql";
import { printed } from "./printed.mjs";

const release = process.argv.includes("--release");
const file = new URL("released.graphql", import.meta.url);
// Without descriptions: whoever changes one breaks nobody.
const text = print(
  visit(parse(printed("supergraph")), { enter: ({ description, ...node }) => node }),
);
if (release) {
  const head = "# The schema of the last release, for `make schema-check`.";
  writeFileSync(file, `${head}\n${text}\n`);
} else {
  const released = readFileSync(file, "utf8");
  const accepted = new Set(released.match(/(?<=^# accepted: ).*/gm));
  const changes = await diff(buildSchema(released), buildSchema(text));
  const risky = changes.filter(
    ({ criticality, message }) =>
      criticality.level !== CriticalityLevel.NonBreaking && !accepted.has(message),
  );
  for (const { criticality, message } of risky) console.error(`${criticality.level}: ${message}`);
  console.log(`${changes.length} changes since the release; breaking or dangerous: ${risky.length}`);
  process.exitCode = risky.length ? 1 : 0;
}
