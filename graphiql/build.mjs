// Builds the GraphiQL page's files into the gateway's package data: node graphiql/build.mjs
//
// Names carry hashes, so that browsers may keep the files for good. manifest.json says which is
// which, and comes last: where it is, all of them are.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL("./", import.meta.url));
const gateway = join(here, "../gateway/http");
const examples = join(here, "../examples");
const assets = join(gateway, "assets");

const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  metafile: true,
  target: "es2022",
  outdir: assets,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  alias: {
    // Under the names that GraphiQL uses are CommonJS modules, of which esbuild sees no parts.
    "prettier/parser-babel": "prettier/plugins/babel",
    "prettier/parser-graphql": "prettier/plugins/graphql",
  },
  // Licences go into a file of their own, below.
  legalComments: "none",
  logLevel: "warning",
};

const written = ({ metafile }) =>
  Object.entries(metafile.outputs).map(([path, output]) => ({ ...output, name: basename(path) }));

function tabs() {
  const beside = (name) => name.replace(".graphql", ".json");
  const files = readdirSync(examples);
  const text = (name) => readFileSync(join(examples, name), "utf8").trimEnd();
  const operations = files.filter((name) => extname(name) === ".graphql").sort();
  return [
    { query: readFileSync(join(gateway, "cdn/welcome.graphql"), "utf8").trimEnd() },
    ...operations.map((name) => ({
      query: text(name),
      variables: files.includes(beside(name)) ? text(beside(name)) : null,
    })),
  ];
}

/** The licence of every package of which something is in the build. */
function licences(results) {
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const found = inputs.map((path) => path.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0]);
  const packages = [...new Set(found)].filter(Boolean).sort();
  return packages.flatMap((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(here, folder, "package.json")));
    const notices = readdirSync(join(here, folder)).filter((file) =>
      /^(licen[cs]e|copying|notice|thirdpartynotices)/i.test(file),
    );
    return [
      `=== ${name} ${version}`,
      ...notices.map((file) => readFileSync(join(here, folder, file), "utf8").trim()),
    ];
  });
}

rmSync(assets, { recursive: true, force: true });

const workers = await build({
  ...shared,
  format: "iife",
  entryPoints: {
    editor: "monaco-editor/esm/vs/editor/editor.worker.js",
    json: "monaco-editor/esm/vs/language/json/json.worker.js",
    graphql: "monaco-graphql/esm/graphql.worker.js",
  },
});
const names = written(workers).map(({ name }) => [name.split("-")[0], `./${name}`]);

const page = await build({
  ...shared,
  format: "esm",
  splitting: true,
  entryPoints: { main: "src/main.jsx" },
  jsx: "automatic",
  loader: { ".svg": "file", ".ttf": "file" },
  define: {
    EXAMPLES: JSON.stringify(tabs()),
    WORKERS: JSON.stringify(Object.fromEntries(names)),
    "process.env.NODE_ENV": '"production"',
  },
});

const main = written(page).find(({ entryPoint }) => entryPoint === "src/main.jsx");
const icon = written(page).find(({ name }) => extname(name) === ".svg");
const style = basename(main.cssBundle);
// esbuild writes styles for what is imported later too; main's are all of them, and no page asks
// for the others.
const files = [...written(workers), ...written(page)].filter(
  ({ name }) => extname(name) !== ".css" || name === style || rmSync(join(assets, name)),
);

writeFileSync(join(assets, "licences.txt"), `${licences([workers, page]).join("\n\n")}\n`);
writeFileSync(
  join(assets, "manifest.json"),
  JSON.stringify({ script: main.name, style, icon: icon.name }),
);

const megabytes = files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
console.log(`GraphiQL: ${files.length} files, ${megabytes.toFixed(1)} MB, in ${assets}`);
