import { readFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { pretrainConfigSchema } from '../../src/config/pretrain-config.ts'
import { presets } from '../../src/config/presets.ts'
import { runHere } from './in-process.ts'

/** Every command, as `armature --help` lists them. */
const { stdout: HELP } = await runHere(['--help'])
const COMMANDS = [...HELP.matchAll(/^ {2}([a-z][a-z-]*)(?: \[options\])?(?: [<[]\S+)? {2,}\S/gm)].map(
  ([, name]) => name!,
)

describe('help', () => {
  test('lists commands by what they are for', () => {
    expect(HELP).toMatch(/Learning:[^]*train[^]*Scenes and data:[^]*collect[^]*Robots:[^]*drive[^]*list/)
    expect(COMMANDS.length).toBeGreaterThan(20)
  })

  test.each(COMMANDS.filter((name) => name !== 'help'))('%s: options and examples', async (command) => {
    const { code, stdout, stderr } = await runHere([command, '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`Usage: armature ${command}`)
    expect(stdout).toMatch(new RegExp(`Examples:\n  # .+\n  armature ${command}\\b`))
    expect(stdout).not.toContain('(default: [])')
  })

  test('train and pretrain: defaults of options and settings', async () => {
    const { stdout: train } = await runHere(['train', '--help'])
    expect(train).toMatch(/--seed <n> .*\(default: 0\)/)
    for (const { name, config } of presets) expect(train).toMatch(new RegExp(`${name} +${config.training.steps} steps`))
    expect(train).toMatch(/replay\.capacity +200000 /)
    expect(train).toMatch(/representation\.pretrain\.priorFrames +"starts" .*\(starts, all\)/)

    const { stdout: pretrain } = await runHere(['pretrain', '--help'])
    const defaults = pretrainConfigSchema.parse({ encoder: 'x' })
    expect(pretrain).toContain("gradient steps (default: the preset's)")
    expect(pretrain).toContain("rows of a batch (default: the preset's)")
    expect(pretrain).toContain(`(default: ${defaults.camera})`)
    expect(pretrain).toContain(`held out (default: ${defaults.validationFraction})`)
    expect(pretrain).toMatch(/memoryMb +1024 /)
  })

  test.each([[], ['--help'], ['help']])('armature %s', async (...args) => {
    expect(await runHere(args)).toEqual({ code: 0, stdout: HELP, stderr: '' })
  })
})

const NUMBERS = ['-1', '1.5', '1e30', 'NaN', '', ' ', 'Infinity', '0x10', '99999999999999999999', '١']

describe('numbers', () => {
  const options = COMMANDS.filter((name) => name !== 'help').map(async (command) => {
    const { stdout } = await runHere([command, '--help'])
    return [...stdout.matchAll(/^ {2}(--[a-z-]+) <(n|s|x|share)>/gm)].map(([, option]) => [command, option!] as const)
  })

  test('every option that takes one refuses what is none, in one line', async () => {
    const all = (await Promise.all(options)).flat()
    expect(all.length).toBeGreaterThan(25)
    for (const [command, option] of all) {
      for (const value of NUMBERS) {
        // A share or a duration may have a fraction.
        if (value === '1.5' && ['--max-seconds', '--speed'].includes(option)) continue
        const { code, stdout, stderr } = await runHere([command, `${option}=${value}`])
        expect({ code, stdout }, `${command} ${option}=${value}`).toEqual({ code: 2, stdout: '' })
        expect(stderr).toMatch(/^armature: option '--.*' argument '.*' is invalid\. Expected a (whole )?number .*\n$/)
        expect(stderr).toContain(`see "armature ${command} --help"`)
      }
    }
  })

  test('more threads than any machine has are refused', async () => {
    const { code, stderr } = await runHere(['--threads', '100000', 'bench'])
    expect(code).toBe(2)
    expect(stderr).toContain('Expected a whole number from 1 to 256')
  })
})

describe('words', () => {
  test.each([
    ['an argument', ['eval', '']],
    ['a path', ['render', 'armature/PushPuck-v0', '--out', ' ']],
  ])('%s that is empty is refused', async (_what, args) => {
    const { code, stderr } = await runHere(args)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^armature: .*: expected a word, got an empty one\n$/)
  })

  test('an empty ARMATURE_ENGINE is none; another one is named', async () => {
    vi.stubEnv('ARMATURE_ENGINE', '')
    expect((await runHere(['eval', 'nowhere'])).stderr).toContain('nowhere is not a run folder')
    vi.stubEnv('ARMATURE_ENGINE', 'foo')
    expect((await runHere(['eval', 'nowhere'])).stderr).toContain('ARMATURE_ENGINE: expected onnx')
    vi.unstubAllEnvs()
  })

  test('codes that a terminal would obey are written out', async () => {
    const { stderr } = await runHere(['eval', 'a\u001b[2Jb\nc'])
    expect(stderr).toBe('armature: a\\x1b[2Jb c is not a run folder: it has no config.json\n')
  })
})

describe('--json', () => {
  test.each([
    ['what cannot be read', ['train', '--seed', 'x', '--json'], 2, 'bad-argument'],
    ['an unknown command', ['--json', 'trian'], 2, 'bad-argument'],
    ['what is not there', ['eval', 'nowhere', '--json'], 2, 'not-found'],
  ])('%s: one object that says what was wrong', async (_what, args, exitCode, errorCode) => {
    const { code, stdout, stderr } = await runHere(args)
    expect(code).toBe(exitCode)
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } }
    expect(error.code).toBe(errorCode)
    expect(stderr).toBe(`armature: ${error.message}\n`)
    expect(stdout.endsWith('}\n')).toBe(true)
  })

  test('a command that was stopped before it began', async () => {
    const { code, stdout, stderr } = await runHere(['list', '--json'], AbortSignal.abort('SIGTERM'))
    expect({ code, stderr }).toEqual({ code: 130, stderr: 'armature: stopped\n' })
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'interrupted', message: 'stopped' } })
  })
})

test('--version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  expect(await runHere(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})
