import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Finished } from './helpers.ts'
import { contentOf, runCli, SLOW_MS, temporaryFolder } from './helpers.ts'

const cwd = temporaryFolder()

/** What every refusal looks like: exit code 2, one line on stderr, nothing on stdout, no stack. */
function expectRefusal({ code, stdout, stderr }: Finished, ...texts: readonly string[]): void {
  for (const text of texts) expect(stderr).toContain(text)
  expect({ code, stdout, lines: stderr.split('\n').length }).toEqual({ code: 2, stdout: '', lines: 2 })
  expect(stderr).toMatch(/^armature: .*\n$/)
  expect(stderr).not.toContain('    at ')
}

const train = ['train', 'rig-push', '--out', 'made']
const CROP = '[{"kind":"crop","height":24,"width":24}]'

describe('refused before anything is made', { timeout: SLOW_MS }, () => {
  test.each<[what: string, args: string[], texts: string[], env?: Record<string, string>]>([
    ['an unknown command', ['trian', 'rig-push'], ["unknown command 'trian'", 'Did you mean train?']],
    ['an unknown option', [...train, '--ressume'], ["unknown option '--ressume'", 'Did you mean --resume?']],
    ['a missing argument', ['eval'], ["missing required argument 'run'"]],
    ['an argument too many', ['train', 'rig-push', 'again', '--out', 'made'], ['too many arguments']],
    ['no preset', ['train', '--out', 'made'], ['expected a preset', 'armature list']],
    ['an unknown preset', ['train', 'rig-pusch', '--out', 'made'], ['"rig-pusch"', 'did you mean rig-push']],
    ['an unknown key', [...train, '--set', 'trainin.steps=1'], ['unknown key trainin', 'did you mean training?']],
    ['an unknown nested key', [...train, '--set', 'training.step=1'], ['did you mean training.steps?']],
    ['an unknown key of the agent', [...train, '--set', 'agent.config.tua=1'], ['did you mean agent.config.tau?']],
    [
      'an unknown key of the encoder',
      [...train, '--set', 'representation.config.latentSiz=1'],
      ['did you mean representation.config.latentSize?'],
    ],
    ['an unknown option of the env', [...train, '--set', 'env.options.siz=1'], ['did you mean size?']],
    ['an unknown env', [...train, '--set', 'env.id=armature/PushPuk-v0'], ['did you mean armature/PushPuck-v0?']],
    ['an unknown agent', [...train, '--set', 'agent.name=sacc'], ['did you mean sac?']],
    ['an unknown encoder', [...train, '--set', 'representation.encoder=vae'], ['did you mean beta-vae']],
    ['an unknown camera', [...train, '--set', 'representation.camera=side'], ['expected front, got side']],
    [
      'a value out of range',
      [...train, '--set', 'agent.config.tau=2'],
      ['agent.config.tau: expected number to be <=1'],
    ],
    ['a value of the wrong type', [...train, '--set', 'agent.config.tau=x'], ['expected number, got "x"']],
    ['an assignment without =', [...train, '--set', 'seed'], ['--set: expected key=value', 'got seed']],
    ['another preset by --set', [...train, '--set', 'preset=oracle-push'], ['--set preset']],
    [
      'parts that do not go together',
      [...train, '--set', 'representation={"kind":"state"}'],
      ['goals.source prior: expected an encoder'],
    ],
    [
      'goals without features of a goal',
      [...train, '--set', 'representation={"kind":"proprio"}'],
      ['goals: expected representation.kind encoder or state'],
    ],
    [
      'an unknown option of the batches of pretraining',
      [...train, '--set', 'representation.pretrain.batch={"augmnt":[]}'],
      ['batches of frames: expected options camera, augment, got "augmnt"'],
    ],
    [
      'an unknown option of the batches of a joint encoder',
      ['train', 'deepmdp', '--out', 'made', '--set', 'representation.batch={"lenght":2}'],
      ['batches of episodes: expected options', 'got "lenght"'],
    ],
    [
      'augmentations that are no list',
      ['train', 'deepmdp', '--out', 'made', '--set', 'representation.batch.augment=shift'],
      ['augment: expected a list such as', 'got "shift"'],
    ],
    [
      'frames of another size than the encoder takes',
      ['train', 'deepmdp', '--out', 'made', '--set', `representation.batch.augment=${CROP}`],
      ['representation.batch: expected frames [48, 48, 3], got [24, 24, 3]'],
    ],
    [
      'an env without images',
      [...train, '--set', 'env.id=armature/Pendulum-v1'],
      ['representation.camera: expected an env with cameras (armature/Pendulum-v1 has none)'],
    ],
    ['a seed that is no number', [...train, '--seed', '1e3'], ["option '--seed <n>' argument '1e3' is invalid"]],
    ['too many envs', [...train, '--envs', '257'], ['Expected a whole number from 1 to 256']],
    [
      'too many envs by --set',
      [...train, '--set', 'training.envs=257'],
      ['training.envs: expected number to be <=256'],
    ],
    ['no steps', [...train, '--steps', '0'], ['Expected a whole number from 1 to']],
    ['no threads', [...train, '--threads', '0'], ['Expected a whole number from 1 to']],
    ['a wrong engine', [...train, '--engine', 'onxx'], ['--engine: expected onnx', 'got onxx']],
    ['a wrong engine in the environment', train, ['ARMATURE_ENGINE: expected onnx'], { ARMATURE_ENGINE: 'onxx' }],
    ['an unknown benchmark', ['bench', '--only', 'act'], ['no benchmark "act"', 'act_ms']],
    ['--resume of nothing in particular', ['train', '--resume'], ['expected a preset or --out DIR']],
    ['--resume of what is not there', ['train', '--resume', '--out', 'made'], ['made is not a run folder']],
    ['--resume before the first run', ['train', 'rig-push', '--resume'], ['runs/rig-push-seed0 is not a run folder']],
    ['eval of what is not there', ['eval', 'made'], ['made is not a run folder']],
    ['export of what is not there', ['export', 'made'], ['made is not a run folder']],
  ])('%s', async (_what, args, texts, env = {}) => {
    expectRefusal(await runCli(cwd, args, env), ...texts)
    for (const folder of ['made', 'runs']) expect(existsSync(join(cwd, folder))).toBe(false)
  })
})

describe('what is there stays as it is', { timeout: SLOW_MS }, () => {
  test.each<[what: string, args: (folder: string) => string[], texts: string[]]>([
    ['train into a folder that is not empty', (folder) => ['train', 'rig-push', '--out', folder], ['is not empty']],
    [
      'train with a file in the way',
      (folder) => ['train', 'rig-push', '--out', `${folder}/notes.txt`],
      ['cannot write'],
    ],
    [
      'train below a file',
      (folder) => ['train', 'rig-push', '--out', `${folder}/notes.txt/run`],
      ['cannot write', 'notes.txt/run'],
    ],
    ['resume of a folder that is no run', (folder) => ['train', '--resume', '--out', folder], ['is not a run folder']],
    ['eval of a folder that is no run', (folder) => ['eval', folder], ['is not a run folder']],
    ['eval of a file', (folder) => ['eval', `${folder}/notes.txt`], ['notes.txt is not a run folder']],
  ])('%s', async (what, args, texts) => {
    const folder = join(cwd, what)
    mkdirSync(folder)
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    expectRefusal(await runCli(cwd, args(folder)), ...texts)
    expect(contentOf(folder)).toEqual({ 'notes.txt': 'mine' })
  })

  test('a config.json that is not JSON, or no record of a run, is named', async () => {
    for (const [name, text] of Object.entries({ torn: '{"config": {', foreign: '{"compilerOptions": {}}' })) {
      const folder = join(cwd, name)
      mkdirSync(folder)
      writeFileSync(join(folder, 'config.json'), text)
      expectRefusal(await runCli(cwd, ['eval', folder]), join(folder, 'config.json'))
      expect(contentOf(folder)).toEqual({ 'config.json': text })
    }
  })
})

test.skipIf(process.getuid?.() === 0 || process.platform === 'win32')(
  'a folder without write permission (skipped for root, who may write everywhere)',
  { timeout: SLOW_MS },
  async () => {
    const folder = join(cwd, 'read-only')
    mkdirSync(folder, { mode: 0o555 })
    expectRefusal(await runCli(cwd, ['train', 'rig-push', '--out', join(folder, 'run')]), 'cannot write', 'EACCES')
  },
)
