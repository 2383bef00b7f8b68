import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadUrdf } from '../../../envs/robots/urdf-files.ts'
import { envs } from '../../../envs/index.ts'
import { ARM_LIFT_ID } from '../../../envs/tasks/arm-lift.ts'
import { ARM_PUSH_ID } from '../../../envs/tasks/arm-push.ts'
import { makeArmReach } from '../../../envs/tasks/arm-reach.ts'
import { ArmatureError } from '../../../src/core/errors.ts'
import type { GoalEnv } from '../../../src/core/env.ts'
import { Rng } from '../../../src/core/rng.ts'
import { asciiStl, ballFaces, binaryStl, boxFaces, collada, obj, RED_MTL } from './mesh-drafts.ts'
import { expectReaching } from './reaching.ts'
import type { Draft, DraftJoint, DraftLink } from './urdf-drafts.ts'
import { bareJoint, bareLink, soundArm, urdfOf } from './urdf-drafts.ts'

const folder = mkdtempSync(join(tmpdir(), 'armature-traits-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Something about a file that public ones have. */
interface Trait {
  readonly name: string
  /** Only one trait of a kind fits into a file. */
  readonly kind: string
  readonly apply: (draft: Draft) => void
  /** What it is mended with, or why it is refused; absent: nothing is said. */
  readonly says?: RegExp
}

function part(draft: Draft, name: string): DraftLink {
  return draft.links.find((link) => link.name === name)!
}

function turn(draft: Draft, number: number): DraftJoint {
  return draft.joints.find(({ name }) => name === `turn${number}`)!
}

/** A trait of the mesh of one link, by its file's name, which stands in both of its shapes. */
function meshed(name: string, file: string, content: string | Uint8Array, more: Partial<MeshTrait> = {}): Trait {
  const { path = `../meshes/${file}`, scale = '', says } = more
  return {
    name,
    kind: 'mesh',
    ...(says === undefined ? {} : { says }),
    apply: (draft) => {
      if (content !== '') draft.files.set(`meshes/${file}`, content)
      draft.files.set('meshes/box.mtl', RED_MTL)
      const shape = `<geometry><mesh filename="${path}"${scale}/></geometry>`
      Object.assign(part(draft, 'part2'), { visual: shape, collision: shape })
    },
  }
}

interface MeshTrait {
  readonly path: string
  readonly scale: string
  readonly says: RegExp
}

const BOX = boxFaces()
const FLAT = BOX.slice(0, 2)

/** All of these load, and the arm reaches. */
const MENDED: readonly Trait[] = [
  ...(['effort', 'velocity'] as const).flatMap((what) =>
    ['0', '', '-1'].map((value): Trait => ({
      name: `${what} "${value}"`,
      kind: what,
      says: new RegExp(`${what} 0 is read as not told.*: turn1, turn2, turn3, turn4, turn5, turn6`),
      apply: ({ joints }) => {
        for (const joint of joints) joint[what] = value
      },
    })),
  ),
  {
    name: 'frames of a billionth of a kilogram',
    kind: 'frame',
    says: /marks a frame, and is dropped: grasp, camera/,
    apply: (draft) => {
      for (const name of ['grasp', 'camera']) {
        draft.links.push({ ...bareLink(name), mass: '1e-9', inertial: true })
        draft.joints.push(bareJoint(`${name}_mount`, 'part6', name))
      }
    },
  },
  ...(
    [
      ['0', '0', '0'],
      ['0.01', '0.01', '0.1'],
      ['-0.01', '0.01', '0.01'],
    ] as const
  ).map((inertia): Trait => ({
    name: `inertia ${inertia.join(' ')}`,
    kind: 'inertia',
    says: /inertia that no body has.*: part3, part5/,
    apply: (draft) => {
      for (const name of ['part3', 'part5']) part(draft, name).inertia = inertia
    },
  })),
  {
    name: 'links without mass that move',
    kind: 'inertia',
    says: /moves without mass.*: part1, part2/,
    apply: (draft) => {
      for (const name of ['part1', 'part2']) part(draft, name).mass = '0'
    },
  },
  {
    name: 'no visuals',
    kind: 'looks',
    says: /drawn as it collides/,
    apply: ({ links }) => {
      for (const link of links) link.visual = ''
    },
  },
  {
    name: 'no collisions',
    kind: 'looks',
    apply: ({ links }) => {
      for (const link of links) link.collision = ''
    },
  },
  {
    name: 'a material that nothing defines',
    kind: 'material',
    says: /material "steel" is not defined.*: part1/,
    apply: (draft) => {
      part(draft, 'part1').material = '<material name="steel"/>'
    },
  },
  {
    name: 'a colour from 0 to 255',
    kind: 'material',
    says: /from 0 to 255/,
    apply: (draft) => {
      part(draft, 'part1').material = '<material name="red"><color rgba="255 20 0 1"/></material>'
    },
  },
  {
    name: 'shapes without size',
    kind: 'size',
    says: /without size is left out: part4/,
    apply: (draft) => {
      part(draft, 'part4').more =
        '<visual><geometry><box size="0 0 0"/></geometry></visual><collision><geometry><sphere radius="0"/></geometry></collision>'
    },
  },
  {
    name: 'a last link that is fixed to the foot',
    kind: 'tip',
    apply: (draft) => {
      draft.links.push(bareLink('rear'))
      draft.joints.push(bareJoint('rear_mount', 'foot', 'rear'))
    },
  },
  {
    name: 'a hand beyond the tip',
    kind: 'tip',
    apply: (draft) => {
      const box = '<origin xyz="0 0 0.09"/><geometry><box size="0.12 0.05 0.18"/></geometry>'
      draft.links.push({ ...bareLink('hand'), visual: box, collision: box })
      draft.joints.push(bareJoint('hand_mount', 'tool', 'hand'))
    },
  },
  {
    name: 'a gripper of a mimic',
    kind: 'tip',
    apply: (draft) => {
      for (const [side, sign] of [
        ['left', ''],
        ['right', '-'],
      ] as const) {
        draft.links.push({ ...bareLink(side), mass: '0.05', inertia: ['1e-5', '1e-5', '1e-5'], inertial: true })
        const joint = bareJoint(`${side}_slide`, 'tool', side)
        Object.assign(joint, { type: 'prismatic', axis: `0 ${sign}1 0`, lower: '0', upper: '0.04' })
        if (side === 'right') joint.more = '<mimic joint="left_slide"/>'
        draft.joints.push(joint)
      }
    },
  },
  ...[90, -90, 180].map((degrees): Trait => ({
    name: `a base turned by ${degrees} degrees with little pan`,
    kind: 'pan',
    says: new RegExp(`turned by -?${Math.abs(degrees)} degrees to face the table`),
    apply: (draft) => {
      turn(draft, 1).rpy = `0 0 ${(-degrees * Math.PI) / 180}`
      Object.assign(turn(draft, 1), { lower: '-0.9', upper: '0.9' })
      Object.assign(turn(draft, 2), { lower: '-0.2' })
    },
  })),
  {
    name: 'a pan of a whole turn',
    kind: 'pan',
    apply: (draft) => {
      Object.assign(turn(draft, 1), { lower: '-3.14159', upper: '3.14159', effort: '20' })
    },
  },
  {
    name: 'a continuous joint',
    kind: 'pan',
    apply: (draft) => {
      turn(draft, 4).type = 'continuous'
    },
  },
  {
    name: 'only an upper limit',
    kind: 'pan',
    apply: (draft) => {
      turn(draft, 2).lower = ''
    },
  },
  {
    name: 'a joint that is locked by its limits',
    kind: 'lock',
    apply: (draft) => {
      Object.assign(turn(draft, 4), { lower: '0', upper: '0' })
    },
  },
  {
    name: 'limits in degrees',
    kind: 'lock',
    says: /look like degrees.*: turn5/,
    apply: (draft) => {
      Object.assign(turn(draft, 5), { lower: '-170', upper: '170' })
    },
  },
  {
    name: 'a pedestal',
    kind: 'root',
    says: /stands on the table/,
    apply: (draft) => {
      draft.links.unshift(bareLink('floor'))
      draft.joints.unshift({ ...bareJoint('stand', 'floor', 'foot'), xyz: '0 0 0.75' })
    },
  },
  {
    name: 'a world link',
    kind: 'root',
    apply: (draft) => {
      draft.links.unshift(bareLink('world'))
      draft.joints.unshift(bareJoint('world_joint', 'world', 'foot'))
    },
  },
  meshed('an STL mesh', 'rod.stl', binaryStl(BOX)),
  meshed('an STL mesh in capitals', 'ROD.STL', binaryStl(BOX)),
  meshed('an ASCII STL mesh', 'ascii.stl', asciiStl(BOX)),
  meshed('an STL mesh with a tail', 'tail.stl', Uint8Array.of(...binaryStl(BOX), 1, 2, 3)),
  meshed('a flat STL mesh', 'flat.stl', binaryStl(FLAT)),
  meshed('an OBJ mesh', 'rod.obj', obj(BOX)),
  meshed('a COLLADA mesh in inches', 'rod.dae', collada(boxFaces(1 / 0.0254), 0.0254)),
  meshed('a mesh in millimetres', 'mm.stl', binaryStl(boxFaces(1000)), { says: /in millimetres.*: part2/ }),
  meshed('a mirrored mesh', 'mm.stl', binaryStl(boxFaces(1000)), { scale: ' scale="0.001 -0.001 0.001"' }),
  meshed('a path with backslashes', 'rod.stl', binaryStl(BOX), { path: '..\\meshes\\rod.stl' }),
  meshed('a package of another name', 'rod.stl', binaryStl(BOX), { path: 'package://old_description/meshes/rod.stl' }),
  meshed('a package that is a folder deep in it', 'arm6/visual/rod.stl', binaryStl(BOX), {
    path: 'package://visual/rod.stl',
  }),
  meshed('a mesh that is not there', 'none.dae', '', { says: /was not found.*: part2 \("\.\.\/meshes\/none\.dae"\)/ }),
  meshed('a detailed mesh', 'ball.stl', binaryStl(ballFaces(20_000)), { says: /triangles are simplified to/ }),
  {
    name: 'a byte order mark, CRLF and comments',
    kind: 'text',
    apply: (draft) => {
      draft.finish.push((xml) => `\uFEFF${xml.replaceAll('\n', '\r\n').replace('?>', '?><!-- exported -->')}`)
    },
  },
  {
    name: 'prefixes that are not declared',
    kind: 'text',
    apply: (draft) => {
      draft.head = '<gazebo><controller:gazebo_ros_imu name="imu"/></gazebo>'
    },
  },
  {
    name: 'limits the wrong way round, and none',
    kind: 'limits',
    says: /exchanged with it: turn5|half a turn to either side: turn6/,
    apply: (draft) => {
      Object.assign(turn(draft, 5), { lower: '2.5', upper: '-2.5' })
      Object.assign(turn(draft, 6), { lower: '', upper: '' })
    },
  },
  {
    name: 'a mimic of nobody',
    kind: 'limits',
    says: /mimics "nobody", which does not exist, moves on its own: turn6/,
    apply: (draft) => {
      turn(draft, 6).more = '<mimic joint="nobody"/>'
    },
  },
  {
    name: 'what is not of the body',
    kind: 'text',
    apply: (draft) => {
      draft.head = '<gazebo/><transmission name="t"/><ros2_control name="c" type="system"/>'
      turn(draft, 2).more = '<safety_controller k_velocity="1"/><dynamics damping="50" friction="20"/>'
    },
  },
]

const REFUSED: readonly Trait[] = [
  {
    name: 'UTF-16',
    kind: 'text',
    says: /expected text in UTF-8, got UTF-16/,
    apply: (draft) => {
      draft.finish.push((xml) => new Uint8Array(Buffer.from(`\uFEFF${xml}`, 'utf16le')))
    },
  },
  {
    name: 'decimal commas',
    kind: 'text',
    says: /got "0,12"; write decimal points/,
    apply: (draft) => {
      turn(draft, 2).xyz = '0 0 0,12'
    },
  },
  {
    name: 'leftovers of xacro',
    kind: 'text',
    says: /<xacro:property> is a xacro macro, not URDF; expand it first/,
    apply: (draft) => {
      draft.head = '<xacro:property xmlns:xacro="http://ros.org/wiki/xacro" name="a" value="1"/>'
    },
  },
  ...['planar', 'floating'].map((type): Trait => ({
    name: `a ${type} joint`,
    kind: 'root',
    says: new RegExp(`joint "turn1": ${type} joints are not supported`),
    apply: (draft) => {
      turn(draft, 1).type = type
    },
  })),
  {
    name: 'two arms',
    kind: 'tip',
    says: /expected one arm, got 2 that are equally long; .*--set tip=other_tool or tool|--set tip=tool or other_tool/,
    apply: (draft) => {
      for (let i = 1; i <= 6; i++) draft.links.push(bareLink(`other${i}`))
      draft.links.push(bareLink('other_tool'))
      draft.joints.push(bareJoint('other_mount', 'other6', 'other_tool'))
      for (let i = 1; i <= 6; i++) {
        const like = draft.joints.find(({ name }) => name === `turn${i}`)!
        draft.joints.push({ ...like, ...bareNames(`other_turn${i}`, i === 1 ? 'foot' : `other${i - 1}`, `other${i}`) })
      }
    },
  },
  meshed('an STL mesh that breaks off', 'cut.stl', asciiStl(BOX).slice(0, 300), { says: /line \d+: STL .*cut.stl/ }),
  meshed('an empty STL mesh', 'empty.stl', new Uint8Array(84), { says: /expected triangles with an area, got none/ }),
  meshed('a mesh with decimal commas', 'comma.stl', asciiStl(BOX).replaceAll('0.02', '0,02'), {
    says: /line 4: expected a vertex of 3 finite numbers/,
  }),
]

function bareNames(name: string, parent: string, child: string): { name: string; parent: string; child: string } {
  return { name, parent, child }
}

let written = 0

/** A sound arm with traits, as files; returns the path of the URDF file. */
function write(traits: readonly Trait[], scale = 1): string {
  const draft = soundArm(scale)
  for (const { apply } of traits) apply(draft)
  const root = join(folder, String(written++))
  for (const [path, content] of [...draft.files, [draft.path, urdfOf(draft)] as const]) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return join(root, draft.path)
}

/** One for how it looks and one for how it collides, or two of two joints. */
const TWO_NOTICES = ['a detailed mesh', 'shapes without size', 'limits the wrong way round, and none']
const SMALL = { size: 1, supersample: 'off' }

describe('a robot from a file with', () => {
  it.each(MENDED.map((trait) => [trait.name, trait] as const))('%s loads and reaches', async (_name, trait) => {
    const robot = write([trait])
    const { notices = [] } = await loadUrdf(robot)
    const isOfFit = trait.kind === 'pan' || trait.kind === 'root'
    if (trait.says === undefined || isOfFit) expect(notices).toEqual([])
    else {
      expect(notices).toHaveLength(TWO_NOTICES.includes(trait.name) ? 2 : 1)
      expect(notices.some((notice) => trait.says!.test(notice))).toBe(true)
    }
    const warnings: string[] = []
    const listen = ({ message }: Error): number => warnings.push(message)
    process.on('warning', listen)
    const env = await makeArmReach({ ...SMALL, robot })
    await expectReaching(env, 5)
    await env.close()
    await new Promise(setImmediate)
    process.off('warning', listen)
    if (isOfFit && trait.says !== undefined) expect(warnings.join('\n')).toMatch(trait.says)
  })

  it.each(REFUSED.map((trait) => [trait.name, trait] as const))('%s is refused in one line', async (_name, trait) => {
    const error = await makeArmReach({ ...SMALL, robot: write([trait]) }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ArmatureError)
    expect((error as Error).message).toMatch(trait.says!)
    expect((error as Error).message).not.toContain('\n')
    // The command line ends with 2 for all but these.
    expect(['bad-value', 'bad-shape', 'closed', 'needs-reset', 'unsupported-op']).not.toContain(
      (error as ArmatureError).code,
    )
  })

  it('any two to four of these loads and reaches, at any size', { timeout: 120_000 }, async () => {
    const rng = new Rng(1)
    const failures: string[] = []
    for (let trial = 0; trial < 200; trial++) {
      const wanted = 2 + Math.floor(rng.uniform(0, 3))
      const traits: Trait[] = []
      while (traits.length < wanted) {
        const trait = MENDED[Math.floor(rng.uniform(0, MENDED.length))]!
        if (traits.every(({ kind }) => kind !== trait.kind)) traits.push(trait)
      }
      const scale = [1, 1, 0.4, 2.5][trial % 4]!
      const name = `${traits.map((trait) => trait.name).join(' + ')} at ${scale}`
      try {
        const env = await makeArmReach({ ...SMALL, robot: write(traits, scale) })
        await expectReaching(env, 1)
        await env.close()
      } catch (error) {
        failures.push(`${name}: ${error instanceof Error ? error.message.slice(0, 200) : String(error)}`)
      }
    }
    expect(failures).toEqual([])
  })
})

describe.each([ARM_PUSH_ID, ARM_LIFT_ID])('%s with an arm from a file', (id) => {
  const gripper = MENDED.find(({ name }) => name === 'a gripper of a mimic')!
  it.each([
    ['a sound one', [], 1],
    ['a smaller one', [], 0.5],
    ['a desk arm', [], 0.3],
    ['a large one', [], 2.5],
    ['one with a gripper of its own', [gripper], 1],
  ] as const)('is solved by its expert in 18 of 20 episodes: %s', async (_name, traits, scale) => {
    const env = (await envs[id]!.make({ ...SMALL, robot: write(traits, scale) })) as GoalEnv
    let wins = 0
    for (let seed = 0; seed < 20; seed++) {
      const expert = envs[id]!.expert!()
      let { observation, info } = await env.reset({ seed })
      expect(info['success']).toBe(0)
      for (let step = 0; step < 100 && info['success'] === 0; step++) {
        ;({ observation, info } = await env.step(expert(observation, env.goal)))
      }
      wins += info['success']!
    }
    expect(wins).toBeGreaterThanOrEqual(18)
    await env.close()
  })

  it('refuses one that is too small for contacts', async () => {
    await expect(envs[id]!.make({ ...SMALL, robot: write([], 0.1) })).rejects.toThrow(
      /pointing down, at 0.1 or more of a Panda's size/,
    )
  })
})
