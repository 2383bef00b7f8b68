import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The command line as it is installed, from the build that these tests run on. */
export const BIN = join(inject('build'), 'bin/armature.js')

/**
 * Where a `.ts` file of the project stands in the build: Node runs it there without a loader.
 * @param path relative to `importer`, the `import.meta.url` of the file that asks.
 */
export function built(path: string, importer: string): string {
  const source = relative(ROOT, fileURLToPath(new URL(path, importer)))
  return join(inject('build'), 'dist', source.replace(/\.ts$/, '.js'))
}
