import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { expect, test } from 'vitest'
import { envs } from '../../envs/index.ts'
import type { ContactSheetReport } from '../../src/cli/contact-sheet.ts'
import { contactSheet } from '../../src/cli/contact-sheet.ts'
import { createContext } from '../../src/cli/context.ts'
import { runCli, SLOW_MS, temporaryFolder } from './helpers.ts'

const cwd = temporaryFolder()

test('shows every registered scene, the same in every process', { timeout: SLOW_MS }, async () => {
  const args = ['contact-sheet', '--out', 'docs/scenes.png', '--height', '24', '--steps', '2', '--json']
  const { code, stdout, stderr } = await runCli(cwd, args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const report = JSON.parse(stdout) as ContactSheetReport
  expect(report.scenes.map(({ env }) => env)).toEqual(Object.keys(envs))
  for (const { env, cameras } of report.scenes) {
    const made = await envs[env]!.make()
    expect(cameras).toEqual(made.spec.cameras)
    await made.close()
  }
  const { width, height } = decode(readFileSync(join(cwd, 'docs/scenes.png')))
  expect(report).toMatchObject({ width, height })

  const context = createContext([], { json: true }, new AbortController().signal)
  await contactSheet(context, { out: join(cwd, 'again.png'), seed: 0, steps: 2, height: 24 })
  expect(readFileSync(join(cwd, 'again.png'))).toEqual(readFileSync(join(cwd, 'docs/scenes.png')))
})

test.each([
  ['another format', 'sheet.gif', 'expected a file that ends in .png, got sheet.gif'],
  ['a file that is there', 'mine.png', 'mine.png exists; name another file or use --overwrite'],
])('refuses %s', { timeout: SLOW_MS }, async (_what, out, text) => {
  writeFileSync(join(cwd, 'mine.png'), 'mine')
  const { code, stdout, stderr } = await runCli(cwd, ['contact-sheet', '--out', out])
  expect({ code, stdout, stderr: stderr.includes(text) }).toEqual({ code: 2, stdout: '', stderr: true })
  expect(readFileSync(join(cwd, 'mine.png'), 'utf8')).toBe('mine')
  expect(existsSync(join(cwd, 'sheet.gif'))).toBe(false)
})
