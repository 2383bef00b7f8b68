import { describe, expect, it } from 'vitest'
import { PatientOutput } from '../../src/cli/patient-output.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('an output that stands still', () => {
  it('holds up nobody, keeps so much, and says later what is missing', async () => {
    const written: string[] = []
    let goOn = (): void => {}
    const output = new PatientOutput((text) => {
      written.push(text)
      return new Promise((resolve) => (goOn = resolve))
    })
    for (let k = 0; k < 5000; k++) output.push(`event ${k}`)
    expect(written).toEqual(['event 0\n'])
    expect(output.length).toBe(1000)
    // A robot ends in time all the same.
    await output.flush(5)
    goOn()
    await settled()
    const [, rest = ''] = written
    expect(rest.split('\n').slice(0, 2)).toEqual(['event 1', 'event 2'])
    expect(rest.endsWith('event 1000\n3999 lines were left out: the output is too slow\n')).toBe(true)
    goOn()
    await settled()
    output.push('later')
    expect(written.at(-1)).toBe('later\n')
    goOn()
    await output.flush(60_000)
    expect(output.length).toBe(0)
  })

  it('that is closed takes nothing from what comes', async () => {
    let writes = 0
    const output = new PatientOutput(async () => {
      writes++
      throw new Error('EPIPE')
    })
    output.push('a')
    await settled()
    output.push('b')
    await output.flush(60_000)
    expect(writes).toBe(2)
  })
})
