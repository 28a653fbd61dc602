import { Kind, parse } from "graphql";

/** The fields of an operation in `text` that have `paths` of response keys, wherever fragments have them. */
export function fieldsAt(text, operationName, paths) {
  const { definitions } = parse(text);
  const operations = definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  const operation = operations.find(({ name }) => name?.value === operationName) ?? operations[0];
  const fragment = (name) =>
    definitions.find((one) => one.kind === Kind.FRAGMENT_DEFINITION && one.name.value === name);
  const below = (parent, spread = new Set()) =>
    (parent?.selectionSet?.selections ?? []).flatMap((selection) => {
      if (selection.kind === Kind.FIELD) return [selection];
      if (selection.kind === Kind.INLINE_FRAGMENT) return below(selection, spread);
      const name = selection.name.value;
      return spread.has(name) ? [] : below(fragment(name), spread.add(name));
    });
  const found = (parents, [key, ...rest]) => {
    const fields = parents
      .flatMap((parent) => below(parent))
      .filter(({ alias, name }) => (alias ?? name).value === key);
    return rest.length ? found(fields, rest) : fields;
  };
  return [...new Set(paths.flatMap((path) => found([operation], path.split("."))))];
}
