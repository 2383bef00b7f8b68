import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { agents } from '../../agents/index.ts'
import { encoders } from '../../encoders/index.ts'
import { envs } from '../../envs/index.ts'
import { goalForms } from '../compose/goal-forms.ts'
import { goalRewards } from '../compose/goal-rewards.ts'
import { goalSources } from '../compose/goal-sources.ts'
import { presets } from '../config/presets.ts'
import { ArmatureError } from '../core/errors.ts'

const TYPESCRIPT = ['.ts', '.mts', '.cts']
/** URLs of what this process has loaded: a module is run once, however often it is named. */
const loaded = new Set<string>()

/** URLs of the modules of the user's that this process has run, in order. */
export function loadedModules(): readonly string[] {
  return [...loaded]
}

/**
 * Runs modules of the user's, which register envs, encoders, agents and presets of their own.
 * @param files `.js` or `.ts`; the latter by Node itself where it can, else by the `tsx` that is installed beside the file.
 * @throws ArmatureError `not-found` for a file that is not there; `bad-argument` for one that fails, registers nothing or cannot be read
 */
export async function loadModules(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const path = resolve(file)
    const url = pathToFileURL(path).href
    if (loaded.has(url)) continue
    requireFile(file, path)
    const before = entries()
    if (TYPESCRIPT.includes(extname(path))) await readTypeScript(file, path)
    await run(file, path, url)
    loaded.add(url)
    if (entries() === before) {
      throw new ArmatureError('bad-argument', `module ${file}`, {
        expected:
          'it to call registerEnv, registerEncoder, registerAgent or registerPreset of the package that runs here',
        got: 'nothing registered',
        fix: 'run the armature of the project that the module is in: "npx armature ..."',
      })
    }
  }
}

/** How much is registered. */
function entries(): number {
  const catalogues = [envs, encoders, agents, presets, goalForms, goalRewards, goalSources]
  return catalogues.reduce((sum, catalogue) => sum + Object.keys(catalogue).length, 0)
}

function requireFile(file: string, path: string): void {
  if (!existsSync(path)) throw new ArmatureError('not-found', `module ${file}`, { got: 'no such file' })
  if (!statSync(path).isFile()) {
    throw new ArmatureError('bad-argument', `module ${file}`, { expected: 'a file', got: 'something else' })
  }
}

async function run(file: string, path: string, url: string): Promise<void> {
  try {
    await import(url)
  } catch (error) {
    if (error instanceof ArmatureError) throw error
    const where = error instanceof Error ? placeIn(basename(path), error.stack) : ''
    const isScript = /import statement outside a module|require\(\)/.test(String(error))
    const fix = isScript ? { fix: 'write "type": "module" into package.json, or let its name end in .mjs or .mts' } : {}
    throw new ArmatureError('bad-argument', `module ${file}`, { got: `${String(error)}${where}`, ...fix, cause: error })
  }
}

/** The first line of a stack that lies in the user's file, e.g. ` at cart.ts:3:7`. */
function placeIn(name: string, stack = ''): string {
  const start = stack.indexOf(`${name}:`)
  if (start === -1) return ''
  return ` at ${name}${/^(:\d+)+/.exec(stack.slice(start + name.length))?.[0] ?? ''}`
}

/** From here on, this process can import TypeScript. */
async function readTypeScript(file: string, path: string): Promise<void> {
  const { typescript = false } = process.features as { readonly typescript?: string | false }
  // These sources, too, are TypeScript where they are not built: something reads them.
  if (typescript !== false || extname(import.meta.url) === '.ts') return
  let api: string
  try {
    // What `require` would load cannot find its own hooks; the ES module beside it can.
    api = createRequire(path)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs')
  } catch {
    throw new ArmatureError('bad-argument', `module ${file}`, {
      expected: 'JavaScript, which is all that this version of Node reads',
      got: 'TypeScript',
      fix: 'use Node 22.18 or later, or run "npm install --save-dev tsx"',
    })
  }
  const { register } = (await import(pathToFileURL(api).href)) as { readonly register: () => unknown }
  register()
}
