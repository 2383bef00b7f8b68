import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { ask } from '../../src/cli/remote.ts'

describe('the question before hardware moves', () => {
  const never = new AbortController().signal
  const asked = (input: PassThrough, signal = never): Promise<string> =>
    ask('Let it? ', input, new PassThrough(), signal)

  it('is answered by a line', async () => {
    const input = new PassThrough()
    const answer = asked(input)
    input.write('yes\n')
    expect(await answer).toBe('yes')
  })

  it('is not answered by a terminal that is closed', async () => {
    const input = new PassThrough()
    const answer = asked(input)
    input.end()
    expect(await answer).toBe('')
  })

  it('is not answered by a terminal that fails', async () => {
    const input = new PassThrough()
    const answer = asked(input)
    input.destroy(new Error('read EIO'))
    expect(await answer).toBe('')
  })

  it('ends when it is stopped', async () => {
    const stop = new AbortController()
    const answer = asked(new PassThrough(), stop.signal)
    stop.abort()
    await expect(answer).rejects.toThrow(/abort/i)
  })
})
