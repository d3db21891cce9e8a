import { mkdir, open, readFile, rename, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/** A file that is appended to. */
export interface DiskFile {
  size(): Promise<number>;
  truncate(bytes: number): Promise<void>;
  /** Fewer bytes only where the file ends before. */
  read(from: number, bytes: number): Promise<Buffer>;
  append(bytes: Uint8Array): Promise<void>;
  /** What was appended survives a loss of power. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What the file sink asks of a file system; tests have one that fails and loses power. */
export interface Disk {
  /** Opens a file for appending and makes it, with its folders, where it does not exist. */
  open(path: string): Promise<DiskFile>;
  /** Null where there is no such file. */
  readText(path: string): Promise<string | null>;
  /**
   * Puts a text in the place of a file, old or new, never half; it survives a loss of power once this has
   * resolved. Where it rejects, either may be there.
   */
  replace(path: string, text: string): Promise<void>;
}

export function realDisk(): Disk {
  return {
    open: async (path) => {
      await mkdir(dirname(path), { recursive: true });
      return diskFile(await open(path, "a+"));
    },
    readText: async (path) => {
      try {
        return await readFile(path, "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
        throw error;
      }
    },
    replace: async (path, text) => {
      const temporary = `${path}.new`;
      await withFile(temporary, "w", async (file) => {
        await file.writeFile(text);
        await file.datasync();
      });
      await rename(temporary, path);
      // The new name lies in the folder: without this, a loss of power may bring back the old one.
      await withFile(dirname(path), "r", (folder) => folder.sync());
    },
  };
}

function diskFile(file: FileHandle): DiskFile {
  return {
    size: async () => (await file.stat()).size,
    truncate: (bytes) => file.truncate(bytes),
    read: async (from, bytes) => {
      const buffer = Buffer.alloc(bytes);
      let filled = 0;
      for (let read = -1; read !== 0 && filled < bytes; filled += read)
        read = (await file.read(buffer, filled, bytes - filled, from + filled)).bytesRead;
      return buffer.subarray(0, filled);
    },
    append: (bytes) => file.appendFile(bytes),
    sync: () => file.datasync(),
    close: () => file.close(),
  };
}

async function withFile(
  path: string,
  flags: string,
  use: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}
