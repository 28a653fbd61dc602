// Monaco asks for its workers here. Each is a file of this origin, so that the page's policy needs
// neither blob: nor data: as a source of workers.
globalThis.MonacoEnvironment = {
  getWorker: (_id, label) =>
    new Worker(new URL(WORKERS[label] ?? WORKERS.editor, import.meta.url), { name: label }),
};
