import { isMainThread } from 'node:worker_threads'

/** What was mended in a description, by kind, so that one line can name all that it happened to. */
export class Notices {
  readonly #names: Map<string, string[]> = new Map()

  /** @param what stands before the names, e.g. `effort 0 is read as not told`. */
  add(what: string, name: string): void {
    const names = this.#names.get(what) ?? []
    if (!names.includes(name)) names.push(name)
    this.#names.set(what, names)
  }

  /** One line per kind. */
  get lines(): readonly string[] {
    return [...this.#names].map(([what, names]) => `${what}: ${names.join(', ')}`)
  }
}

const told = new Set<string>()

/** Tells the user, once per process, by Node's warnings. */
export function warnOnce(line: string): void {
  if (!isMainThread || told.has(line)) return
  told.add(line)
  process.emitWarning(line, 'RobotWarning')
}
