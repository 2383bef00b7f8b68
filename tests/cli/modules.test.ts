import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { loadModules } from '../../src/cli/modules.ts'
import { SLOW_MS, spawnCli, temporaryFolder } from './helpers.ts'

const folder = temporaryFolder()
const project = join(folder, 'a project')
mkdirSync(join(project, 'node_modules'), { recursive: true })
symlinkSync(inject('build'), join(project, 'node_modules/armature'), 'junction')

function write(name: string, text: string): string {
  writeFileSync(join(project, name), text)
  return join(project, name)
}

write(
  'cart.ts',
  `import type { Env } from 'armature'
import { encoders, agents, registerAgent, registerEncoder, registerEnv, registerPreset, simpleEnv } from 'armature'

const spec = { id: 'mine/Cart-v0', observation: { x_m: [-99, 99] as const }, action: ['move_10cm'], maxEpisodeSteps: 20 }
function make(): Env {
  let x = 0
  return simpleEnv(spec, {
    reset: (rng) => [(x = rng.uniform(-1, 1))],
    step: ([move = 0]) => ({ observation: [(x += 0.1 * move)], reward: -Math.abs(x) }),
  })
}
registerEnv(spec.id, { summary: 'a cart', make })
registerEncoder('my-encoder', { ...encoders['pca']!, summary: 'mine' })
registerAgent('my-agent', { ...agents['random']!, summary: 'mine' })
registerPreset({
  name: 'cart',
  summary: 'a cart',
  config: { env: { id: spec.id }, representation: { kind: 'proprio' }, agent: { name: 'my-agent' }, training: { steps: 10 } },
})
`,
)
const readsTypeScript = (process.features as { typescript?: unknown }).typescript !== undefined

describe('a module of the user', () => {
  if (!readsTypeScript) {
    it('needs something that reads TypeScript', { timeout: SLOW_MS }, async () => {
      const { code, stderr } = await spawnCli(project, ['list', '--module', 'cart.ts'])
      expect(stderr).toMatch(/^armature: module cart\.ts: expected JavaScript.*Node 22\.18.*tsx"\n$/)
      expect(code).toBe(2)
      const tsx = dirname(createRequire(import.meta.url).resolve('tsx/package.json'))
      symlinkSync(tsx, join(project, 'node_modules/tsx'), 'junction')
    })
  }

  it('is an ES module', { timeout: SLOW_MS }, async () => {
    write('package.json', '{ "type": "commonjs" }')
    const { code, stderr } = await spawnCli(project, ['list', '--module', 'cart.ts'])
    // Newer versions of Node add a warning of their own.
    expect(stderr).toMatch(/^armature: module cart\.ts: got .*; write "type": "module" into package\.json.*\n$/m)
    expect(code).toBe(2)
  })

  it('names envs, encoders, agents and presets, in TypeScript', { timeout: SLOW_MS }, async () => {
    write('package.json', '{ "type": "module" }')
    const { code, stdout, stderr } = await spawnCli(project, ['list', '--json', '--module', 'cart.ts'])
    expect([code, stderr]).toEqual([0, ''])
    const listed = JSON.parse(stdout) as Record<string, { name: string }[]>
    const names = Object.values(listed).flatMap((entries) => entries.map(({ name }) => name))
    expect(names).toEqual(expect.arrayContaining(['cart', 'mine/Cart-v0', 'my-encoder', 'my-agent']))
  })

  it('is there for every command, and in JavaScript', { timeout: SLOW_MS }, async () => {
    write('both.js', `import './cart.ts'\n`.replace('cart.ts', 'plain.js'))
    write(
      'plain.js',
      `import { registerEnv, makeEnv } from 'armature'
registerEnv('mine/P-v0', { summary: 'p', make: () => makeEnv('armature/Pendulum-v1') })\n`,
    )
    const { code, stdout, stderr } = await spawnCli(project, ['check', 'mine/P-v0', '--json', '--module', './both.js'])
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toBeTypeOf('object')
    const copies = ['--episodes', '2', '--envs', '2', '--workers', '2', '--module', './both.js']
    const collected = await spawnCli(project, ['collect', 'mine/P-v0', '--out', 'played', '--quiet', ...copies])
    expect(collected).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  it.each([
    ['nowhere.js', undefined, /module .*nowhere\.js: got no such file/],
    ['folder', null, /expected a file, got something else/],
    [
      'silent.js',
      'export {}',
      /expected it to call registerEnv.*got nothing registered; run the armature of the project/,
    ],
    [
      'broken.js',
      '\nthrow new Error("broken\\nindeed")',
      /module .*broken\.js: got Error: broken indeed at broken\.js:2/,
    ],
  ])('is refused where it cannot serve: %s', async (name, text, message) => {
    if (text === null) mkdirSync(join(project, name))
    else if (text !== undefined) write(name, text)
    await expect(loadModules([join(project, name)])).rejects.toThrow(message)
  })
})
