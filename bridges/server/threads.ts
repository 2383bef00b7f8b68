/** The module of a thread, beside the one at `from`: a source, or what was built of it. */
export function threadUrl(name: string, from: string): URL {
  return new URL(`${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from)
}

/** What to start a thread with; its first argument must be the address of `thread`. Node 20 starts no .ts file in a thread, whatever loaders the process has. */
export function entryOf(thread: URL): URL {
  return thread.href.endsWith('.ts') ? new URL('./thread-from-source.js', import.meta.url) : thread
}
