import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { contentOf, sets, temporaryFolder } from './helpers.ts'
import type { Outcome } from './in-process.ts'
import { runHere } from './in-process.ts'

const folder = temporaryFolder()
/** A run without goals, and whose policy sees no image. */
const RUN = join(folder, 'a run')

async function succeed(...args: string[]): Promise<Outcome> {
  const outcome = await runHere(args)
  expect(outcome.code, outcome.stderr).toBe(0)
  return outcome
}

/** Refused in one line, with everything in the folder as it was. */
async function refuse(args: readonly string[], text: string): Promise<void> {
  const before = contentOf(folder)
  const { code, stdout, stderr } = await runHere(args)
  expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' })
  expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^armature: /)
  expect(stderr).toContain(text)
  expect(contentOf(folder)).toEqual(before)
}

beforeAll(async () => {
  const tiny = sets({
    'agent.config.hidden': [8],
    'env.options.maxEpisodeSteps': 10,
    'training.learningStarts': 20,
    'training.batchSize': 8,
    'training.evalEpisodes': 1,
    'training.finalEpisodes': 2,
  })
  await succeed('train', 'sac-pendulum', ...tiny, '--steps', '30', '--out', RUN, '--quiet')
})

describe('eval --video', () => {
  test.each(['gif', 'mp4'])('of a policy that sees no image shows the scene (.%s)', async (ending) => {
    const video = join(folder, 'videos', `played.${ending}`)
    const { stdout } = await succeed('eval', RUN, '--episodes', '1', '--video', video, '--json')
    expect(JSON.parse(stdout)).toMatchObject({ video })
    const start = readFileSync(video).subarray(0, 8).toString('latin1')
    expect(start).toMatch(ending === 'gif' ? /^GIF89a/ : /ftyp$/)
  })

  test('refuses what is no video, and what is there, before it plays', async () => {
    await refuse(['eval', RUN, '--video', join(folder, 'x.mp3')], 'expected a file that ends in .gif or .mp4')
    writeFileSync(join(folder, 'mine.gif'), 'mine')
    await refuse(['eval', RUN, '--video', join(folder, 'mine.gif')], 'mine.gif exists')
    await succeed('eval', RUN, '--episodes', '1', '--video', join(folder, 'mine.gif'), '--overwrite', '--quiet')
    expect(readFileSync(join(folder, 'mine.gif'), 'latin1')).toMatch(/^GIF89a/)
  })
})

describe('eval', () => {
  test('keeps what other evaluations of the same step found, and says where it wrote', async () => {
    const evaluate = async (episodes: string): Promise<{ file: string }> =>
      JSON.parse((await succeed('eval', RUN, '--episodes', episodes, '--json')).stdout) as { file: string }
    const long = await evaluate('4')
    const text = readFileSync(long.file, 'utf8')
    const short = await evaluate('3')
    expect(short.file).not.toBe(long.file)
    expect(readFileSync(long.file, 'utf8')).toBe(text)
    expect(await evaluate('4')).toEqual(long)
    expect(JSON.parse(readFileSync(short.file, 'utf8'))).toMatchObject({ episodes: 3, env: 'armature/Pendulum-v1' })
  })

  test('makes its folder where that is gone', async () => {
    const copy = join(folder, 'copy')
    cpSync(RUN, copy, { recursive: true })
    rmSync(join(copy, 'eval'), { recursive: true })
    await succeed('eval', copy, '--episodes', '1', '--quiet')
    expect(readdirSync(join(copy, 'eval'))).toHaveLength(1)
  })

  test('in a scene that the weights do not fit', async () => {
    const args = ['eval', RUN, '--env', 'armature/CartPole-v0', '--episodes', '1']
    await refuse(args, 'in armature/CartPole-v0: expected observations and actions as in armature/Pendulum-v1')
  })
})

describe('a checkpoint', () => {
  const last = ['checkpoints', 'step_000000030']

  test('whose training state is of another version is told from a damaged one', async () => {
    const copy = join(folder, 'other version')
    cpSync(RUN, copy, { recursive: true })
    const file = join(copy, ...last, 'training_state', 'trainer.json')
    const sums = join(copy, ...last, 'checksums.json')
    const text = '{"step": 30}'
    const before = createHash('sha256').update(readFileSync(file)).digest('hex')
    writeFileSync(sums, readFileSync(sums, 'utf8').replace(before, createHash('sha256').update(text).digest('hex')))
    writeFileSync(file, text)
    const { code, stderr } = await runHere(['train', '--resume', '--out', copy, '--steps', '40', '--quiet'])
    expect(code, stderr).toBe(2)
    expect(stderr).toMatch(/^armature: the training state of .*: expected one as this version writes it, .*\n$/)
  })

  test.skipIf(process.platform === 'win32')('with a pipe in place of a file is damaged', async () => {
    const copy = join(folder, 'piped')
    cpSync(RUN, copy, { recursive: true })
    const file = join(copy, ...last, 'model.safetensors')
    rmSync(file)
    execFileSync('mkfifo', [file])
    const { code, stderr } = await runHere(['eval', copy, '--episodes', '1'])
    rmSync(file)
    expect(code).toBe(2)
    expect(stderr).toContain('is damaged: model.safetensors is no file')
  })
})

test('export replaces nothing unless told to', async () => {
  const out = join(folder, 'robot', 'policy')
  await succeed('export', RUN, '--out', out)
  await refuse(['export', RUN, '--out', out], 'policy.onnx exists')
  await succeed('export', RUN, '--out', out, '--overwrite')
  expect(readdirSync(out).toSorted()).toEqual(['policy.json', 'policy.onnx'])
})

test('collect names its policies where one is neither of them nor a run', async () => {
  const args = ['collect', 'armature/Pendulum-v1', '--out', join(folder, 'none'), '--policy']
  await refuse(
    [...args, 'foo'],
    'foo is not a run folder, nor a policy: expected scripted, random, partial, noisy, slow, adversarial or a run folder',
  )
  await refuse([...args, 'randm'], 'did you mean random?')
})

test('rewards writes page and JSON into two files', async () => {
  const page = join(folder, 'rewards.json')
  await refuse(['rewards', 'pixels', '--data', folder, '--report', page], `${page} for both`)
})

describe('--overwrite', () => {
  const render = (out: string): string[] => [
    'render',
    'armature/Pendulum-v1',
    '--out',
    out,
    '--size',
    '16',
    '--overwrite',
    '--quiet',
  ]

  test('follows a link, which stays one', async () => {
    writeFileSync(join(folder, 'target.png'), 'old')
    const link = join(folder, 'link.png')
    symlinkSync('target.png', link)
    await succeed(...render(link))
    expect(readFileSync(join(folder, 'target.png')).subarray(1, 4).toString()).toBe('PNG')
    expect(
      readdirSync(folder, { withFileTypes: true })
        .find(({ name }) => name === 'link.png')!
        .isSymbolicLink(),
    ).toBe(true)
  })

  test.skipIf(process.platform === 'win32')('takes no folder and no pipe', async () => {
    mkdirSync(join(folder, 'folder.png'))
    await refuse(render(join(folder, 'folder.png')), 'expected a file, got a folder')
    const pipe = join(folder, 'pipe.png')
    execFileSync('mkfifo', [pipe])
    const { code, stderr } = await runHere(render(pipe))
    execFileSync('rm', [pipe])
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `armature: ${pipe}: expected a file, got a device or a pipe\n`,
    })
  })
})

describe.skipIf(process.platform !== 'linux')(
  'where the system takes no folder although the one above is there',
  () => {
    test.each([
      ['train', ['train', 'sac-pendulum', '--steps', '1', '--out', '/proc/x/y']],
      ['collect', ['collect', 'armature/Pendulum-v1', '--episodes', '1', '--out', '/proc/x/y']],
      ['render', ['render', 'armature/Pendulum-v1', '--size', '16', '--out', '/proc/x/y.png']],
      ['export', ['export', RUN, '--out', '/proc/x/y']],
      ['keygen', ['keygen', 'robot', '--out', '/proc/x/y']],
    ])('%s says so at once', async (_what, args) => {
      await refuse(args, 'cannot write /proc/x')
    })
  },
)
