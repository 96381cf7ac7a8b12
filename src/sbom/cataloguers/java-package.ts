/**
 * The package that the classes of an archive have in common, from the names of its entries as they pass by. Classes of
 * the root, of `META-INF` and of an application's own folders tell nothing of whom the archive is from.
 */
export class CommonPackage {
  #common: string | undefined;
  #lastFolder = '';

  /** Takes the name of a class file's entry: `com/example/lib/Thing.class`. */
  add(entry: string): void {
    const folder = entry.slice(0, entry.lastIndexOf('/') + 1);
    // Entries of one folder mostly follow each other.
    if (folder === this.#lastFolder || folder === '' || /^(?:META|BOOT|WEB|APP)-INF\//.test(folder)) return;
    this.#lastFolder = folder;
    this.#common = this.#common === undefined ? folder : commonFolder(this.#common, folder);
  }

  /** `com.example.lib`; undefined with less than two names, which are nobody's domain. */
  name(): string | undefined {
    const parts = (this.#common ?? '').split('/').filter((part) => part !== '');
    return parts.length < 2 ? undefined : parts.join('.');
  }
}

function commonFolder(a: string, b: string): string {
  if (b.startsWith(a)) return a;
  let length = 0;
  while (length < a.length && a.charCodeAt(length) === b.charCodeAt(length)) length += 1;
  return a.slice(0, a.lastIndexOf('/', length - 1) + 1);
}
