/**
 * Over results as they are read: one is asked for when the one before it has been taken, so that what is
 * acknowledged is what came out at the end, however many of these lie in between.
 */

/** Each item as `change` has it. */
export async function* map<In, Out>(
  source: AsyncIterable<In>,
  change: (item: In) => Out | Promise<Out>,
): AsyncGenerator<Out, void, undefined> {
  for await (const item of source) yield await change(item);
}

/** The items that `keep` is true of. */
export async function* filter<Item>(
  source: AsyncIterable<Item>,
  keep: (item: Item) => boolean | Promise<boolean>,
): AsyncGenerator<Item, void, undefined> {
  for await (const item of source) if (await keep(item)) yield item;
}

/** One value for each key over all items of a source that ends, such as pages by host. Holds one entry a key. */
export async function foldByKey<Item, Key, Value>(
  source: AsyncIterable<Item> | Iterable<Item>,
  keyOf: (item: Item) => Key,
  initial: Value,
  fold: (value: Value, item: Item) => Value,
): Promise<Map<Key, Value>> {
  const values = new Map<Key, Value>();
  for await (const item of source) {
    const key = keyOf(item);
    values.set(key, fold(values.get(key) ?? initial, item));
  }
  return values;
}
