import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { describe, expect, inject, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Paths in the package as npm would make it, without what a build adds. */
function packedFiles(): string[] {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    shell: process.platform === 'win32',
  })
  const listed = JSON.parse(output) as { files: { path: string }[] }[] | Record<string, { files: { path: string }[] }>
  return Object.values(listed)[0]!.files.map(({ path }) => path)
}

/** Links and pictures of a page that lead to files beside it, without those in code. */
function relativeLinks(markdown: string): string[] {
  const text = markdown.replaceAll(/^```[\s\S]*?^```|`[^`\n]*`/gm, '')
  return [...text.matchAll(/\]\(\s*<?([^)\s>]+)/g)].map((match) => match[1]!).filter((link) => !/^[a-z]+:/.test(link))
}

/** Names that headings can be linked by, as GitHub makes them. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** What the links of `pages` lead to without its being there, as `page -> link`. */
function deadLinks(pages: ReadonlyMap<string, string>, files: readonly string[]): string[] {
  return [...pages].flatMap(([page, text]) =>
    relativeLinks(text)
      .filter((link) => {
        const [path = '', anchor] = link.split('#')
        const target = path === '' ? page : normalize(join(dirname(page), path)).replace(/\/$/, '')
        if (!files.some((file) => file === target || file.startsWith(`${target}/`))) return true
        return anchor !== undefined && pages.has(target) && !anchorsOf(pages.get(target)!).includes(anchor)
      })
      .map((link) => `${page} -> ${link}`),
  )
}

describe('the package', () => {
  const files = packedFiles()

  it('has every file that its pages link to', () => {
    const pages = files.filter((file) => file.endsWith('.md'))
    expect(pages).toContain('README.md')
    expect(pages).toContain('docs/bridge.md')
    expect(deadLinks(new Map(pages.map((page) => [page, readFileSync(join(ROOT, page), 'utf8')])), files)).toEqual([])
  })

  it('shows in its README the example that is tried, in ten lines', () => {
    const example = readFileSync(join(ROOT, 'examples/own-env.ts'), 'utf8')
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(10)
    expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(`\`\`\`ts\n${example}\`\`\``)
  })

  it('has what is looked up beside the code, and nothing that a run or a test leaves', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'bin/armature.js',
        'bridges/limits/panda.json',
        'bridges/python/armature_bridge.py',
        'LICENSE',
      ]),
    )
    expect(files.filter((file) => /^(runs|tests|bench|node_modules)\/|__pycache__|\.tgz$/.test(file))).toEqual([])
  })

  it('gives a robot outside of a checkout its server, its adapters and its limits', async () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      exports: Record<string, { default: string }>
    }
    const door = manifest.exports['./bridge']!.default
    const bridge = (await import(join(inject('build'), door))) as Record<string, unknown>
    const needed = ['RobotServer', 'runUntilSignal', 'loadLimits', 'envRobot', 'mockRobot', 'processRobot']
    expect(needed.filter((name) => typeof bridge[name] !== 'function')).toEqual([])
    const { mockRobot, RobotServer } = bridge as unknown as typeof import('../bridges/index.ts')
    const clock = (): number => Number(process.hrtime.bigint() / 1000n)
    const server = new RobotServer({ robot: mockRobot({ clock }), clock })
    await server.start()
    expect(server.state).toBe('IDLE')
    await server.close()
  })
})

describe('the check of links', () => {
  it('finds links to nowhere', () => {
    const pages = new Map([
      [
        'README.md',
        '[a](docs/a.md) [b](docs/b.md) [c](docs) [d](docs/a.md#one-two) [e](docs/a.md#two) [f](#no) ![g](g.png)',
      ],
      ['docs/a.md', '# One *two*!\n[up](../README.md) [web](https://example.org) `[code](x)`\n```\n[code](y)\n```'],
    ])
    expect(deadLinks(pages, ['README.md', 'docs/a.md'])).toEqual([
      'README.md -> docs/b.md',
      'README.md -> docs/a.md#two',
      'README.md -> #no',
      'README.md -> g.png',
    ])
  })
})
