// Composes the gateway's schema with its neighbours in this folder, as a router's build would:
// once with Apollo's composition and once with The Guild's (Hive), which accept different things.
import { readFileSync, readdirSync } from "node:fs";
import { composeServices as apollo } from "@apollo/composition";
import { composeServices as guild } from "@theguild/federation-composition";
import { parse } from "graphql";

const here = new URL("./", import.meta.url);
const gatewaySchema = process.argv[2] ?? new URL("../schema.graphql", here);

const subgraph = (name, file) => ({
  name,
  url: `http://${name}/graphql`, // only written into the supergraph; nothing is called
  typeDefs: parse(readFileSync(file, "utf8")),
});

const neighbours = readdirSync(here)
  .filter((file) => file.endsWith(".graphql"))
  .sort()
  .map((file) => subgraph(file.replace(".graphql", ""), new URL(file, here)));
const subgraphs = [subgraph("customer-groups", gatewaySchema), ...neighbours];
console.log(`subgraphs: ${subgraphs.map(({ name }) => name).join(", ")}`);

for (const [composer, compose] of Object.entries({ apollo, guild })) {
  const { errors = [], hints = [], supergraphSdl } = compose(subgraphs);
  for (const hint of hints) console.log(`${composer}: hint: ${hint}`);
  for (const { message, extensions } of errors) {
    console.error(`${composer}: error: ${message} [${extensions.code}]`);
  }
  if (errors.length === 0 && supergraphSdl) {
    const { definitions } = parse(supergraphSdl);
    console.log(`${composer}: composed, ${definitions.length} definitions, ${hints.length} hints`);
  } else {
    console.error(`${composer}: refused, ${errors.length} errors`);
    process.exitCode = 1;
  }
}
