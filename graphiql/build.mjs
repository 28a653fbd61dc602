// Builds the GraphiQL page's files into the gateway's package data: node graphiql/build.mjs
//
// Names carry hashes, so that browsers may keep the files for good. Each file is there as it is, and
// compressed by brotli and gzip. page.html says which is which, and comes last: where it is, all of
// them are. The gateway writes the headers with the tokens into it.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = fileURLToPath(new URL("./", import.meta.url));
const gateway = join(here, "../gateway/http");
const examples = join(here, "../examples");
const assets = join(gateway, "assets");

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
function licences({ inputs }) {
  const found = Object.keys(inputs).map((path) => path.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0]);
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

const { metafile } = await build({
  absWorkingDir: here,
  bundle: true,
  minify: true,
  metafile: true,
  // Workers are modules too, and share with the page what both need.
  format: "esm",
  splitting: true,
  target: "es2022",
  outdir: assets,
  entryPoints: {
    main: "src/main.jsx",
    editor: "monaco-editor/esm/vs/editor/editor.worker.js",
    json: "monaco-editor/esm/vs/language/json/json.worker.js",
    graphql: "monaco-graphql/esm/graphql.worker.js",
  },
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  alias: {
    "monaco-editor/esm/vs/editor/edcore.main.js": "./src/editor.js",
    // Under the names that GraphiQL uses are CommonJS modules, of which esbuild sees no parts.
    "prettier/parser-babel": "prettier/plugins/babel",
    "prettier/parser-graphql": "prettier/plugins/graphql",
  },
  jsx: "automatic",
  loader: { ".svg": "file", ".ttf": "file" },
  define: {
    EXAMPLES: JSON.stringify(tabs()),
    "process.env.NODE_ENV": '"production"',
  },
  // Licences go into a file of their own, below.
  legalComments: "none",
  logLevel: "warning",
});

const written = Object.entries(metafile.outputs).map(([path, output]) => ({
  ...output,
  name: basename(path),
}));
const named = (entry) => written.find(({ entryPoint }) => entryPoint?.endsWith(entry));
const main = named("main.jsx");
const style = basename(main.cssBundle);
// esbuild writes styles for what is imported later too; main's are all of them, and no page asks
// for the others.
const files = written.filter(
  ({ name }) => extname(name) !== ".css" || name === style || rmSync(join(assets, name)),
);

writeFileSync(join(assets, "licences.txt"), `${licences(metafile).join("\n\n")}\n`);
for (const name of readdirSync(assets)) {
  const content = readFileSync(join(assets, name));
  writeFileSync(join(assets, `${name}.br`), brotliCompressSync(content));
  writeFileSync(join(assets, `${name}.gz`), gzipSync(content, { level: 9 }));
}
const workers = {
  editorWorkerService: named("editor.worker.js").name,
  graphql: named("graphql.worker.js").name,
  json: named("json.worker.js").name,
};
const icon = files.find(({ name }) => extname(name) === ".svg").name;
const modules = main.imports.filter(({ kind }) => kind === "import-statement");
writeFileSync(
  join(assets, "page.html"),
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Customer groups</title>
<link rel="icon" type="image/svg+xml" href="graphiql/${icon}">
<link rel="stylesheet" href="graphiql/${style}">
${modules.map(({ path }) => `<link rel="modulepreload" href="graphiql/${basename(path)}">`).join("\n")}
<script type="module" src="graphiql/${main.name}"></script>
</head>
<body>
<div id="graphiql" data-headers="{headers}" data-workers='${JSON.stringify(workers)}'></div>
</body>
</html>
`,
);

const megabytes = files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
console.log(`GraphiQL: ${files.length} files, ${megabytes.toFixed(1)} MB, in ${assets}`);
