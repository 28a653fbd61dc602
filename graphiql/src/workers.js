// Monaco asks for its workers here. Each is a file of this origin, so that the page's policy needs
// neither blob: nor data: as a source of workers.
const workers = JSON.parse(document.getElementById("graphiql").dataset.workers);

globalThis.MonacoEnvironment = {
  getWorker: (_id, label) =>
    new Worker(new URL(workers[label], import.meta.url), { name: label, type: "module" }),
};
