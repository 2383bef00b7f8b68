import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/** Source text by path from the root of the repository, with `/` between the parts. */
type Sources = ReadonlyMap<string, string>

interface Zone {
  /** Other zones that it may import. */
  readonly zones: readonly string[]
  /** Packages that it may import; a name that ends in `/` stands for a scope, `node:` for the built-in modules. */
  readonly packages: readonly string[]
}

type Manifest = Readonly<
  Partial<Record<'dependencies' | 'optionalDependencies' | 'peerDependencies', Readonly<Record<string, string>>>>
>

const TOOLS = ['src/core', 'src/replay', 'src/log', 'src/io', 'src/config']

/** What each folder may import. Everything else is an error, so that a new dependency is a decision made here. */
const TABLE: Readonly<Record<string, Zone | 'everything'>> = {
  'src/core': { zones: [], packages: ['pure-rand'] },
  'src/tensor': { zones: ['src/core'], packages: ['node:', '@tensorflow/', 'onnxruntime-node'] },
  'src/replay': { zones: ['src/core'], packages: ['node:'] },
  'src/log': { zones: ['src/core'], packages: ['node:'] },
  'src/io': {
    zones: ['src/core'],
    packages: [
      'node:',
      'gifenc',
      'h264-mp4-encoder',
      'hyparquet',
      'hyparquet-compressors',
      'fzstd',
      'hyparquet-writer',
      'fast-png',
      '@cwasm/',
      '@foxglove/',
      'h5wasm',
      '@mcap/',
      'protobufjs',
    ],
  },
  'src/config': { zones: ['src/core'], packages: ['node:', 'zod'] },
  'src/run': { zones: TOOLS, packages: ['node:'] },
  'src/evaluate': { zones: TOOLS, packages: ['node:', '@observablehq/plot', 'linkedom'] },
  envs: {
    zones: ['src/core'],
    packages: [
      'node:',
      '@dimforge/',
      '@mujoco/mujoco',
      '@xmldom/xmldom',
      'fast-png',
      'meshoptimizer',
      'omggif',
      'three',
      'zod',
    ],
  },
  encoders: { zones: ['src/core', 'src/tensor'], packages: ['node:', '@tensorflow/', 'zod'] },
  agents: { zones: ['src/core', 'src/tensor'], packages: ['node:', '@tensorflow/', 'zod'] },
  bridges: {
    zones: ['src/core'],
    packages: ['node:', '@julusian/jpeg-turbo', 'msgpackr', 'zeromq', 'zod'],
  },
  'src/compose': {
    zones: [
      'src/core',
      'src/tensor',
      'src/replay',
      'src/log',
      'src/io',
      'src/config',
      'src/run',
      'src/evaluate',
      'envs',
      'encoders',
      'agents',
      'bridges',
    ],
    packages: ['node:', 'zod'],
  },
  'src/bench': 'everything',
  'src/cli': 'everything',
  'src/ui': 'everything',
  'src/index.ts': 'everything',
}

const ROOTS = ['src', 'envs', 'encoders', 'agents', 'bridges']
/** Where the clock and the seed come from. */
const COMPOSITION = ['src/cli/', 'src/bench/']

/** Every import that the table forbids, as `file -> target: why`. */
function forbiddenEdges(sources: Sources): string[] {
  const found: string[] = []
  for (const [file, source] of sources) {
    const name = zoneOf(file)
    const zone = name === undefined ? undefined : TABLE[name]
    if (zone === undefined) found.push(`${file}: belongs to no folder of the import table`)
    if (zone === undefined || zone === 'everything') continue
    for (const specifier of importsOf(source)) {
      if (specifier.startsWith('.')) {
        const target = resolve(file, specifier)
        const targetZone = zoneOf(target)
        if (targetZone === name || (targetZone !== undefined && zone.zones.includes(targetZone))) continue
        found.push(`${file} -> ${target}: ${name} may import ${zone.zones.join(', ') || 'nothing but itself'}`)
      } else if (!zone.packages.some((allowed) => isFrom(specifier, allowed))) {
        found.push(`${file} -> ${specifier}: ${name} may import ${zone.packages.join(', ')}`)
      }
    }
  }
  return found
}

function zoneOf(path: string): string | undefined {
  return Object.keys(TABLE).find((zone) => path === zone || path.startsWith(`${zone}/`))
}

function isFrom(specifier: string, allowed: string): boolean {
  if (allowed.endsWith('/') || allowed.endsWith(':')) return specifier.startsWith(allowed)
  return specifier === allowed || specifier.startsWith(`${allowed}/`)
}

function resolve(file: string, specifier: string): string {
  return normalize(join(dirname(file), specifier))
}

/** Every import of a package that `npm install` of the finished package would not bring, as `file -> package`. */
function unshippedImports(sources: Sources, manifest: Manifest): string[] {
  const shipped = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies }
  const found: string[] = []
  for (const [file, source] of sources) {
    for (const specifier of importsOf(source)) {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) continue
      const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
      if (!Object.hasOwn(shipped, name)) found.push(`${file} -> ${name}: no dependency of package.json`)
    }
  }
  return found
}

/** Every group of files that import each other in a circle, as `a -> b -> a`. */
function cycles(sources: Sources): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file)
    if (start >= 0) found.push([...path.slice(start), file].join(' -> '))
    if (start >= 0 || done.has(file)) return
    for (const specifier of importsOf(sources.get(file) ?? '')) {
      if (specifier.startsWith('.')) visit(resolve(file, specifier), [...path, file])
    }
    done.add(file)
  }
  for (const file of sources.keys()) visit(file, [])
  return found
}

/** Every use of a global clock or random source in library code, as `file:line: what`. */
function globalState(sources: Sources): string[] {
  const found: string[] = []
  for (const [file, source] of sources) {
    if (COMPOSITION.some((folder) => file.startsWith(folder))) continue
    const code = blank(source)
    for (const match of code.matchAll(/\bMath\s*\.\s*random\b|\bDate\s*\.\s*now\b/g)) {
      found.push(`${file}:${code.slice(0, match.index).split('\n').length}: ${match[0]}`)
    }
  }
  return found
}

const IMPORT_PATTERNS = [
  /\b(?:import|export)\b[\w\s{},*$]*?\bfrom\s*(['"])( *)\1/dg,
  /\bimport\s*(['"])( *)\1/dg,
  /\b(?:import|require|require\.resolve|createRequire\([^()]*\))\s*\(\s*(['"])( *)\1/dg,
]

/** The modules that a source imports, in any of the ways that the language has. */
function importsOf(source: string): string[] {
  const code = blank(source)
  return IMPORT_PATTERNS.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => {
      const [start, end] = match.indices![2]!
      return source.slice(start, end)
    }),
  )
}

/** The source with comments and the insides of strings and regular expressions as spaces; length and lines stay. */
function blank(source: string): string {
  let out = ''
  const openTemplates: number[] = []
  let depth = 0
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = out.length
    return pattern.exec(source)?.[0] ?? source[out.length]!
  }
  const spaces = (text: string): string => text.replaceAll(/[^\n]/g, ' ')
  const inside = (text: string): string => text[0] + spaces(text.slice(1, -1)) + text.at(-1)
  while (out.length < source.length) {
    const next = source.slice(out.length, out.length + 2)
    if (next === '//') out += spaces(take(/\/\/[^\n]*/y))
    else if (next === '/*') out += spaces(take(/\/\*[\s\S]*?(?:\*\/|$)/y))
    else if (next[0] === "'" || next[0] === '"') out += inside(take(/(['"])(?:\\[\s\S]|(?!\1)[^\\\n])*\1/y))
    else if (next[0] === '/' && startsExpression(out)) {
      out += inside(take(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\//y))
    } else if (next[0] === '`' || (next[0] === '}' && depth === openTemplates.at(-1))) {
      if (next[0] === '}') openTemplates.pop()
      const text = take(/[`}](?:\\[\s\S]|\$(?!\{)|[^\\`$])*(?:`|\$\{)/y)
      if (text.endsWith('${')) openTemplates.push(depth)
      out += inside(text)
    } else {
      if (next[0] === '{') depth++
      if (next[0] === '}') depth--
      out += next[0]
    }
  }
  return out
}

/** Whether a slash after `code` begins a regular expression rather than a division. */
function startsExpression(code: string): boolean {
  const before = code.trimEnd()
  return /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|await|void))$/.test(before)
}

function readSources(): Sources {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const sources = new Map<string, string>()
  for (const folder of ROOTS.filter((name) => existsSync(join(root, name)))) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      const path = join(folder, entry.replaceAll('\\', '/'))
      if (path.endsWith('.ts')) sources.set(path, readFileSync(join(root, path), 'utf8'))
    }
  }
  return sources
}

describe('the source tree', () => {
  const sources = readSources()

  it('is there, and its imports are seen', () => {
    expect(importsOf(sources.get('src/core/rng.ts')!)).toEqual(['pure-rand/generator/xoroshiro128plus'])
    expect(importsOf(sources.get('src/io/gif.ts')!)).toContain('gifenc')
  })

  it('imports only what the table allows', () => {
    expect(forbiddenEdges(sources)).toEqual([])
  })

  it('ships whatever packages it imports', () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Manifest
    expect(unshippedImports(sources, manifest)).toEqual([])
  })

  it('has no import cycles', () => {
    expect(cycles(sources)).toEqual([])
  })

  it('takes randomness and time as arguments', () => {
    expect(globalState(sources)).toEqual([])
  })
})

describe('the check itself', () => {
  const edges = (file: string, source: string): string[] => forbiddenEdges(new Map([[file, source]]))

  it.each([
    ['src/core/a.ts', "import { b } from '../tensor/b.ts'", 'src/tensor/b.ts'],
    ['src/core/a.ts', "import { readFile } from 'node:fs'", 'node:fs'],
    ['src/log/a.ts', "import type { B } from '../io/b.ts'", 'src/io/b.ts'],
    ['src/run/a.ts', "import { makeSac } from '../../agents/sac/sac.ts'", 'agents/sac/sac.ts'],
    ['src/run/a.ts', "export * from '../tensor/engine.ts'", 'src/tensor/engine.ts'],
    ['src/evaluate/a.ts', "import '@tensorflow/tfjs-core'", '@tensorflow/tfjs-core'],
    ['envs/a.ts', "import {\n  type A,\n  b as c,\n} from '../src/replay/a.ts'", 'src/replay/a.ts'],
    ['envs/a.ts', "const rapier = await import('../bridges/a.ts')", 'bridges/a.ts'],
    ['encoders/a/a.ts', "import a, * as b from '../../agents/a.ts'", 'agents/a.ts'],
    ['agents/a.ts', "type Env = import('../envs/index.ts').Env", 'envs/index.ts'],
    ['bridges/a.ts', "const gif = createRequire(import.meta.url)('gifenc')", 'gifenc'],
    ['bridges/a.ts', "const gif = require( 'gifenc' )", 'gifenc'],
    ['envs/a.ts', "import x from 'zodiac'", 'zodiac'],
    ['envs/a.ts', "const s = `${`}`}`; import x from 'left-pad'", 'left-pad'],
    ['envs/a.ts', "const quote = /['\"`]/\nimport x from 'left-pad'", 'left-pad'],
    ['envs/a.ts', "const half = (a + b) / 2 // it's\nimport x from 'left-pad'", 'left-pad'],
  ])('refuses in %s: %s', (file, source, target) => {
    const found = edges(file, source)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`${file} -> ${target}: `)
  })

  it.each([
    ['src/io/a.ts', "import { b } from './b.ts'\nimport { c } from '../core/c.ts'\nimport { d } from 'node:fs'"],
    ['envs/a.ts', "import rapier from '@dimforge/rapier3d-compat'\nimport { z } from 'zod/v4'"],
    ['src/cli/a.ts', "import '../../envs/index.ts'\nimport 'anything'"],
    ['src/index.ts', "export { makeEnv } from '../envs/index.ts'"],
    ['src/core/a.ts', "// import x from 'y'\n/* import x from 'y' */\nconst s = \"import x from 'y'\""],
    ['src/core/a.ts', "const s = `\nimport x from 'y'\n${f(`import x from 'y'`)}`"],
    ['src/core/a.ts', "export const from = 1\nconst list = ['y']"],
  ])('accepts in %s: %s', (file, source) => {
    expect(edges(file, source)).toEqual([])
  })

  it('refuses a file outside the table', () => {
    expect(edges('src/utils/a.ts', '')).toEqual(['src/utils/a.ts: belongs to no folder of the import table'])
  })

  it('refuses packages that are installed for development alone', () => {
    const manifest = { dependencies: { zod: '4', '@mcap/core': '2' }, optionalDependencies: { gifenc: '1' } }
    const source = [
      "import { z } from 'zod/v4'",
      "import '@mcap/core'",
      "import type { A } from '@mcap/nodejs/a'",
      "await import('gifenc')",
      "import 'node:fs'",
      "export * from 'fast-check'",
    ].join('\n')
    expect(unshippedImports(new Map([['src/io/a.ts', source]]), manifest)).toEqual([
      'src/io/a.ts -> @mcap/nodejs: no dependency of package.json',
      'src/io/a.ts -> fast-check: no dependency of package.json',
    ])
  })

  it('finds cycles, once each, and no others', () => {
    const sources = new Map([
      ['src/io/a.ts', "import './b.ts'\nimport './d.ts'"],
      ['src/io/b.ts', "import type { C } from './inner/c.ts'"],
      ['src/io/inner/c.ts', "import '../a.ts'\nimport '../d.ts'"],
      ['src/io/d.ts', ''],
      ['src/io/e.ts', "import './a.ts'"],
    ])
    expect(cycles(sources)).toEqual(['src/io/a.ts -> src/io/b.ts -> src/io/inner/c.ts -> src/io/a.ts'])
  })

  it('finds global clocks and random numbers in code, not in words about them', () => {
    const source = [
      '// never Math.random',
      "const s = 'Date.now'",
      'const t =',
      '  Date .now()',
      'f(Math.random)',
    ].join('\n')
    expect(globalState(new Map([['envs/a.ts', source]]))).toEqual([
      'envs/a.ts:4: Date .now',
      'envs/a.ts:5: Math.random',
    ])
    expect(globalState(new Map([['src/cli/a.ts', source]]))).toEqual([])
    expect(globalState(new Map([['src/run/a.ts', 'const x = `${Math.random()} ${`Math.random`}`']]))).toHaveLength(1)
  })
})
