import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fc } from '../../fast-check.ts'
import { afterAll, describe, expect, it } from 'vitest'
import type { LinkModel, PoseSpec, RobotModel } from '../../../envs/robots/robot-model.ts'
import { parseStl } from '../../../envs/robots/stl.ts'
import { loadUrdf } from '../../../envs/robots/urdf-files.ts'
import type { UrdfOptions } from '../../../envs/robots/urdf.ts'
import { parseUrdf } from '../../../envs/robots/urdf.ts'
import { ArmatureError } from '../../../src/core/errors.ts'

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url))
const PICK_ARM = join(FIXTURES, 'pick-arm.urdf')
const XML = readFileSync(PICK_ARM, 'utf8')
const WEDGE = readFileSync(join(FIXTURES, 'meshes/wedge.stl'))
const WITH_MESHES: UrdfOptions = { readMesh: () => [{ mesh: parseStl(WEDGE, 'wedge.stl') }] }

function linkOf(model: RobotModel, name: string): LinkModel {
  return model.links.find((link) => link.name === name)!
}

/** Where the links are in the root's frame with all joints at 0. */
function framesAtZero({ links, joints }: RobotModel): Map<string, PoseSpec> {
  const frames = new Map<string, PoseSpec>([[links[0]!.name, { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] }]])
  for (const { parent, child, origin } of joints) {
    const { positionM, quatXyzw } = frames.get(parent)!
    const moved = rotate(quatXyzw, origin.positionM)
    frames.set(child, {
      positionM: [0, 1, 2].map((i) => positionM[i]! + moved[i]!) as unknown as PoseSpec['positionM'],
      quatXyzw: product(quatXyzw, origin.quatXyzw),
    })
  }
  return frames
}

type Quat = PoseSpec['quatXyzw']

function product([ax, ay, az, aw]: Quat, [bx, by, bz, bw]: Quat): Quat {
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ]
}

function rotate(quat: Quat, [x, y, z]: readonly [number, number, number]): readonly [number, number, number] {
  const [qx, qy, qz, qw] = quat
  const [rx, ry, rz] = product(product(quat, [x, y, z, 0]), [-qx, -qy, -qz, qw])
  return [rx, ry, rz]
}

function expectVector(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length)
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 10)
}

describe('parseUrdf', () => {
  const model = parseUrdf(XML, WITH_MESHES)

  it('orders links from the root on, and joints as the links they carry', () => {
    expect(model.name).toBe('pick_arm')
    const names = ['rail', 'carriage', 'upper_arm', 'wrist', 'tool', 'finger_left', 'finger_right']
    expect(model.links.map(({ name }) => name)).toEqual(names)
    expect(model.joints.map(({ child }) => child)).toEqual(names.slice(1))
    expect(model.joints.map(({ name }) => name)).toEqual(['slide', 'shoulder', 'roll', 'mount', 'left', 'right'])
  })

  it('reads kinds, axes, limits and mimics of joints', () => {
    const [slide, shoulder, roll, mount, left, right] = model.joints
    expect(slide).toMatchObject({
      kind: 'prismatic',
      axis: [1, 0, 0],
      lower: 0,
      upper: 0.8,
      maxSpeed: 0.5,
      maxEffort: 200,
    })
    expect(shoulder).toMatchObject({ kind: 'revolute', axis: [0, 1, 0], lower: -1.5, upper: 1.2 })
    expect(roll).toMatchObject({ kind: 'continuous', axis: [1, 0, 0], lower: -Infinity, upper: Infinity })
    expect(mount).toMatchObject({ kind: 'fixed', lower: 0, upper: 0 })
    expect(left).not.toHaveProperty('mimic')
    expect(right!.mimic).toEqual({ joint: 'left', multiplier: -1, offset: 0 })
  })

  it('puts links where they are by hand', () => {
    const frames = framesAtZero(model)
    expectVector(frames.get('carriage')!.positionM, [0.1, 0, 0.1])
    expectVector(frames.get('upper_arm')!.positionM, [0.1, 0, 0.3])
    // The shoulder is turned a quarter to the left, so the arm points along y.
    expectVector(frames.get('wrist')!.positionM, [0.1, 0.3, 0.3])
    expectVector(frames.get('tool')!.positionM, [0.1, 0.35, 0.3])
    expectVector(rotate(frames.get('tool')!.quatXyzw, [0, 0, 1]), [0, 1, 0])
    expectVector(frames.get('finger_left')!.positionM, [0.08, 0.35, 0.3])
    expectVector(frames.get('finger_right')!.positionM, [0.12, 0.35, 0.3])
  })

  it('turns roll, pitch and yaw about fixed axes, in that order', () => {
    const xml = `<robot name="r"><link name="a"/><link name="b"/><joint name="j" type="fixed"><parent link="a"/>
      <child link="b"/><origin rpy="${Math.PI / 2} ${Math.PI / 2} 0.3"/></joint></robot>`
    const { quatXyzw } = parseUrdf(xml).joints[0]!.origin
    const [c, s] = [Math.cos(0.3), Math.sin(0.3)]
    expectVector(rotate(quatXyzw, [1, 0, 0]), [0, 0, -1])
    expectVector(rotate(quatXyzw, [0, 1, 0]), [c, s, 0])
    expectVector(rotate(quatXyzw, [0, 0, 1]), [s, -c, 0])
  })

  it('reads inertia and its frame', () => {
    const carriage = linkOf(model, 'carriage')
    expect(carriage).toMatchObject({ massKg: 2, inertia: [0.01, 0.001, 0, 0.012, 0, 0.008] })
    expectVector(carriage.inertialPose.positionM, [0, 0, 0.1])
    expectVector(carriage.inertialPose.quatXyzw, [0, 0, Math.SQRT1_2, Math.SQRT1_2])
    expect(linkOf(model, 'tool')).toMatchObject({ massKg: 0, inertia: [0, 0, 0, 0, 0, 0], visuals: [], collisions: [] })
  })

  it('reads shapes, poses and colours, named before or after', () => {
    const [rail] = linkOf(model, 'rail').visuals
    expect(rail).toMatchObject({ shape: { kind: 'box', halfExtentsM: [0.5, 0.1, 0.05] }, color: [153, 153, 204] })
    expectVector(rail!.pose.positionM, [0.5, 0, 0.05])
    const carriage = linkOf(model, 'carriage')
    expect(carriage.visuals[0]).toMatchObject({
      shape: { kind: 'cylinder', radiusM: 0.04, heightM: 0.2 },
      color: [255, 0, 0],
    })
    expect(carriage.collisions.map(({ shape }) => shape.kind)).toEqual(['cylinder', 'sphere'])
    expect(carriage.collisions[0]).not.toHaveProperty('color')
    expect(linkOf(model, 'upper_arm').collisions[0]!.shape).toEqual({ kind: 'capsule', radiusM: 0.03, heightM: 0.3 })
    expect(linkOf(model, 'finger_right').visuals[0]!.color).toEqual([26, 26, 26])
  })

  it('scales meshes, and turns mirrored ones the right way out', () => {
    const [left, right] = ['finger_left', 'finger_right'].map((name) => linkOf(model, name).visuals[0]!.shape)
    for (const [shape, sign] of [
      [left!, 1],
      [right!, -1],
    ] as const) {
      if (shape.kind !== 'mesh') throw new Error('not a mesh')
      const corner = (t: number): number[] => [0, 1, 2].map((k) => shape.vertices[shape.triangles[t]! * 3 + k]!)
      expect(new Set(shape.vertices)).toEqual(new Set(sign === 1 ? [0, 0.01] : [0, -0, -0.01, 0.01]))
      // The wedge's first face lies in the xy plane and looks down.
      const [[ax, ay], [bx, by], [cx, cy]] = [corner(0), corner(1), corner(2)] as [number[], number[], number[]]
      expect((bx! - ax!) * (cy! - ay!) - (by! - ay!) * (cx! - ax!)).toBeLessThan(0)
    }
  })

  it('draws what collides where it is asked to, without reading visuals', () => {
    const xml = robot(`<link name="a">
      <visual><geometry><mesh filename="a.dae"/></geometry><material name="m"><color rgba="1 1 1 1"/></material></visual>
      <collision><geometry><sphere radius="0.1"/></geometry></collision></link>`)
    const sphere = { shape: { kind: 'sphere', radiusM: 0.1 }, color: [255, 255, 255] }
    expect(linkOf(parseUrdf(xml, { visuals: 'collision' }), 'a').visuals).toMatchObject([sphere])
  })

  it('takes a declaration after a byte order mark or blank lines, and counts those', () => {
    const declared = (content: string): string => `\uFEFF\n\n<?xml version="1.0"?>\n${robot(content)}`
    expect(parseUrdf(declared('<link name="a"/>')).name).toBe('r')
    expect(() => parseUrdf(declared('<link/>'))).toThrow(/URDF line 5:/)
  })

  it('reads past what is not of the body', () => {
    const xml = robot(`<link name="a"><contact><lateral_friction value="1"/></contact></link><gazebo/><plugin_of_ours/>
      <link name="base"><inertial><mass value="0"/><inertia ixx="1"/></inertial></link>
      <joint name="j" type="fixed"><parent link="base"/><child link="a"/><dynamics damping="1"/></joint>`)
    expect(parseUrdf(xml).links.map(({ name, massKg }) => [name, massKg])).toEqual([
      ['base', 0],
      ['a', 0],
    ])
  })
})

/** A robot whose content begins in line 2. */
function robot(content: string): string {
  return `<robot name="r">\n${content}\n</robot>`
}

/** Links a and b, in line 2, and a joint between them, in line 3. */
function jointed(joint: string, type = 'revolute'): string {
  return robot(`<link name="a"/><link name="b"/>
<joint name="j" type="${type}"><parent link="a"/><child link="b"/>${joint}</joint>`)
}

const LIMIT = '<limit lower="-1" upper="1" effort="1" velocity="1"/>'

function bodied(inertial: string): string {
  return robot(`<link name="a"><inertial>\n${inertial}\n</inertial></link>`)
}

const inertia = (xx: number, yy: number, zz: number, xy = 0): string =>
  `<inertia ixx="${xx}" ixy="${xy}" ixz="0" iyy="${yy}" iyz="0" izz="${zz}"/>`

function shaped(shape: string): string {
  return robot(`<link name="a"><collision><geometry>\n${shape}\n</geometry></collision></link>`)
}

describe('broken files', () => {
  it.each<[string, string, string | RegExp]>([
    ['nothing', '', 'corrupt-file URDF: not well-formed XML'],
    ['text', 'no robot here', /not well-formed XML/],
    ['an element left open', '<robot name="r">\n<link name="a">\n</robot>', /line [123]: not well-formed XML/],
    ['an attribute without quotes', '<robot name="r">\n<link name=a/>\n</robot>', /line 2: not well-formed XML/],
    ['an attribute twice', robot('<link name="a" name="b"/>'), /line 2: not well-formed XML/],
    ['another format', '<?xml version="1.0"?>\n<sdf/>', 'line 2: no robot: expected <robot>, got <sdf>'],
    ['no links', robot(''), 'line 1: the robot has no links'],
    ['a link without a name', robot('<link/>'), 'line 2: <link> needs the attribute name'],
    [
      'a misspelt element',
      robot('<link name="a"><colision/></link>'),
      'line 2: unknown element <colision> in <link>; did you mean <collision>?',
    ],
    [
      'two links of a name',
      robot('<link name="a"/>\n<link name="a"/>'),
      'line 3: a second link "a": expected another name than in line 2',
    ],
    [
      'two joints of a name',
      robot(
        `${jointed(LIMIT).split('\n').slice(1, 3).join('\n')}\n<joint name="j" type="fixed"><parent link="a"/><child link="b"/></joint>`,
      ),
      'line 4: a second joint "j"',
    ],
    ['two roots', robot('<link name="a"/>\n<link name="b"/>'), 'line 3: link "b" is a second root'],
    [
      'a missing parent',
      jointed(LIMIT).replace('parent link="a"', 'parent link="aa"'),
      'line 3: joint "j": parent link "aa" does not exist; did you mean "a"?',
    ],
    [
      'a missing child',
      jointed(LIMIT).replace('child link="b"', 'child link="elbow"'),
      'line 3: joint "j": child link "elbow" does not exist',
    ],
    ['no parent', jointed(LIMIT).replace('<parent link="a"/>', ''), 'line 3: <joint> has no <parent>'],
    [
      'two parents of a link',
      jointed(LIMIT).replace(
        '</robot>',
        '<link name="c"/>\n<joint name="k" type="fixed"><parent link="c"/><child link="b"/></joint></robot>',
      ),
      'line 5: link "b" is a child of two joints: got "j" and "k"',
    ],
    [
      'a cycle',
      robot(
        '<link name="a"/><link name="b"/>\n<joint name="j" type="fixed"><parent link="a"/><child link="b"/></joint><joint name="k" type="fixed"><parent link="b"/><child link="a"/></joint>',
      ),
      'line 3: joint "j" is part of a cycle',
    ],
    [
      'a cycle beside a tree',
      robot(
        '<link name="a"/><link name="b"/><link name="c"/>\n<joint name="j" type="fixed"><parent link="c"/><child link="b"/></joint><joint name="k" type="fixed"><parent link="b"/><child link="c"/></joint>',
      ),
      'line 3: joint "j" is part of a cycle',
    ],
    [
      'an unknown joint type',
      jointed(LIMIT, 'hinge'),
      'line 3: joint "j" type: expected revolute or continuous or prismatic or fixed, got "hinge"',
    ],
    [
      'a planar joint',
      jointed(LIMIT, 'planar'),
      'bad-argument URDF line 3: joint "j": planar joints are not supported; there is revolute',
    ],
    [
      'a floating joint',
      jointed('', 'floating'),
      'bad-argument URDF line 3: joint "j": floating joints are not supported',
    ],
    [
      'a limit of nothing',
      jointed('\n<limit effort="1" velocity="1"/>', 'prismatic'),
      'line 4: prismatic joint "j" has no limits; add <limit',
    ],
    ['two limits', jointed(`${LIMIT}\n${LIMIT}`), 'line 4: a second <limit> in <joint>'],
    [
      'an axis of no length',
      jointed(`${LIMIT}\n<axis xyz="0 0 0"/>`),
      'line 4: <axis> xyz: expected a direction, got 0 0 0',
    ],
    [
      'an axis of two numbers',
      jointed(`${LIMIT}\n<axis xyz="0 1"/>`),
      'line 4: <axis> xyz: expected 3 numbers, got "0 1"',
    ],
    [
      'a position of words',
      jointed(`${LIMIT}\n<origin xyz="0 0 up"/>`),
      'line 4: <origin> xyz: expected a finite number, got "up"',
    ],
    [
      'a position far away',
      jointed(`${LIMIT}\n<origin xyz="0 0 1e7"/>`),
      'line 4: <origin> xyz: expected at most 1000000',
    ],
    ['a number in hexadecimal', jointed(`${LIMIT}\n<origin xyz="0 0 0x10"/>`), 'expected a finite number, got "0x10"'],
    [
      'a mimic of itself',
      jointed(`${LIMIT}<mimic joint="j"/>`),
      'line 3: joint "j" mimics "j": got joints that mimic each other',
    ],
    [
      'a mass that is no number',
      bodied(`<mass value="NaN"/>${inertia(1, 1, 1)}`),
      'line 3: <mass> value: expected a finite number, got "NaN"',
    ],
    [
      'an infinite mass',
      bodied(`<mass value="1e999"/>${inertia(1, 1, 1)}`),
      'line 3: <mass> value: expected a finite number',
    ],
    [
      'a negative mass',
      bodied(`<mass value="-1"/>${inertia(1, 1, 1)}`),
      'line 3: mass: expected a number of kilograms from 0, got -1',
    ],
    ['no mass', bodied(inertia(1, 1, 1)), 'line 2: <inertial> has no <mass>'],
    [
      'an inertia that is no number',
      bodied(`<mass value="1"/>\n${inertia(1, NaN, 1)}`),
      'line 4: <inertia> iyy: expected a finite number, got "NaN"',
    ],
    [
      'a sphere turned inside out',
      shaped('<sphere radius="-1"/>'),
      'line 3: <sphere> size: expected numbers above 0, got -1',
    ],
    ['a cylinder without length', shaped('<cylinder radius="1"/>'), 'line 3: <cylinder> needs the attribute length'],
    ['no shape', shaped(''), 'line 2: <geometry>: expected one shape, got 0'],
    ['two shapes', shaped('<sphere radius="1"/><sphere radius="1"/>'), 'line 2: <geometry>: expected one shape, got 2'],
    [
      'an unknown shape',
      shaped('<torus radius="1"/>'),
      'bad-argument URDF line 3: shape <torus> is not supported; there is box, cylinder',
    ],
    ['a missing mesh', shaped('<mesh filename="none.stl"/>'), 'not-found URDF line 3: mesh file "none.stl" not found'],
    [
      'a colour of 300',
      robot('<material name="red"><color rgba="300 0 0 1"/></material>\n<link name="a"/>'),
      'line 2: <color> rgba: expected four numbers from 0 to 1, got 300 0 0 1',
    ],
    [
      'two materials of a name',
      robot('<material name="red"/>\n<material name="red"/><link name="a"/>'),
      'line 3: a second material "red"',
    ],
    [
      'a macro',
      robot('<xacro:arm name="a"/>').replace('<robot', '<robot xmlns:xacro="http://ros.org/xacro"'),
      'bad-argument URDF line 2: <xacro:arm> is a xacro macro, not URDF; expand it first',
    ],
    ['a macro without its namespace', robot('<xacro:arm name="a"/>'), /line 2: /],
    ['an expression', robot('<link name="${side}_arm"/>'), 'bad-argument URDF line 2: "${side}_arm" is a xacro macro'],
    ['too many links', robot('<link name="a"/>'.repeat(1001)), 'line 1: 1001 elements <link>: expected at most 1000'],
    ['too much text', `<robot name="r">${' '.repeat(2_000_000)}</robot>`, 'URDF: expected at most 2000000 characters'],
    ['deep nesting', '<robot>'.repeat(5000), /not well-formed XML/],
    [
      'entities that grow',
      '<!DOCTYPE r [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]>\n<robot name="&b;"><link name="a"/></robot>',
      /line 2: not well-formed XML/,
    ],
  ])('with %s are refused', (_name, xml, message) => {
    const error = refusal(() => parseUrdf(xml))!
    const text = `${error.code} ${error.message}`
    if (typeof message === 'string') expect(text).toContain(message)
    else expect(text).toMatch(message)
    expect(error.message).not.toContain('\n')
  })

  const mutations = fc.array(
    fc.tuple(
      fc.nat(XML.length),
      fc.nat(40),
      fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('0', '-1', 'NaN', '"', '<', '/>', 'tool')),
    ),
    { minLength: 1, maxLength: 4 },
  )

  it('are read or refused in one line, whatever is cut out of them or written into them', () => {
    fc.assert(
      fc.property(mutations, (edits) => {
        const xml = edits.reduce((text, [at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut), XML)
        expectReadOrRefused(xml)
      }),
      { numRuns: 200, seed: 3 },
    )
  })

  it('are read or refused, whatever their attributes are', () => {
    const attributes = [...XML.matchAll(/="([^"]*)"/g)]
    const values = fc.oneof(
      fc.string(),
      fc.double().map(String),
      fc.constantFrom('', '0', '-1', '1e-300', '1e300', 'rail', 'left', '0 0 0', '1e-200 0 0'),
    )
    fc.assert(
      fc.property(fc.nat(attributes.length - 1), values, (which, value) => {
        const { index, 0: whole } = attributes[which]!
        expectReadOrRefused(`${XML.slice(0, index)}="${value}"${XML.slice(index + whole.length)}`)
      }),
      { numRuns: 200, seed: 4 },
    )
  })
})

function refusal(run: () => unknown): ArmatureError | undefined {
  try {
    run()
  } catch (error) {
    if (error instanceof ArmatureError) return error
    throw error
  }
  return undefined
}

function expectReadOrRefused(xml: string): void {
  const error = refusal(() => {
    const { links, joints } = parseUrdf(xml, WITH_MESHES)
    expect(joints).toHaveLength(links.length - 1)
    for (const { axis, origin } of joints) {
      expect(Math.hypot(...axis)).toBeCloseTo(1, 12)
      expect(Math.hypot(...origin.quatXyzw)).toBeCloseTo(1, 12)
    }
  })
  if (error !== undefined) expect(error.message).toMatch(/^[^\n]+$/)
}

/** Files that were written elsewhere, to try on this machine: see fixtures/README.md. */
const FOREIGN = (process.env['ARMATURE_URDF'] ?? '').split(delimiter).filter((path) => path !== '')

describe.each([join(FIXTURES, 'seven-joints.urdf'), ...FOREIGN])('%s', async (path) => {
  const model = await loadUrdf(path)

  it('is a tree of bodies, parents first', () => {
    expect(model.joints.length).toBeGreaterThan(0)
    expect(model.joints).toHaveLength(model.links.length - 1)
    for (const [i, { parent, child }] of model.joints.entries()) {
      expect(model.links[i + 1]!.name).toBe(child)
      expect(model.links.slice(0, i + 1).map(({ name }) => name)).toContain(parent)
    }
    expect(model.links.reduce((sum, { massKg }) => sum + massKg, 0)).toBeGreaterThan(0)
    const file = readFileSync(path, 'utf8')
    expect(model.links).toHaveLength(file.match(/<link\s/g)!.length)
    expect(model.joints).toHaveLength(file.match(/<joint\s+[^>]*type=/g)!.length)
  })

  it.runIf(/seven_joints|lbr_iiwa/.test(model.name))('stands upright at zero, its links where they are by hand', () => {
    const heights = [0, 0.1575, 0.36, 0.5645, 0.78, 0.9645, 1.18, 1.261]
    const frames = framesAtZero(model)
    for (const [i, height] of heights.entries()) {
      const frame = frames.get(model.links[i]!.name)!
      expectVector(frame.positionM, [0, 0, height])
      // Joints turn about the vertical and the horizontal by turns.
      const [x, y, z] = rotate(frame.quatXyzw, [0, 0, 1])
      expectVector([Math.abs(x), Math.abs(y), Math.abs(z)], i % 2 === 1 || i === 0 ? [0, 0, 1] : [0, 1, 0])
    }
  })
})

describe('loadUrdf', () => {
  const folder = mkdtempSync(join(tmpdir(), 'armature-urdf-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const write = (path: string, content: string | Uint8Array): string => {
    const full = join(folder, path)
    mkdirSync(join(full, '..'), { recursive: true })
    writeFileSync(full, content)
    return full
  }
  const meshed = (filename: string): string => shaped(`<mesh filename="${filename}"/>`)

  it('finds meshes beside the file and in a package above it', async () => {
    expect(await loadUrdf(PICK_ARM)).toEqual(parseUrdf(XML, WITH_MESHES))
  })

  it('finds meshes in packages beside it, in those it is told, and by URL', async () => {
    const mesh = write('src/arm_description/meshes/link.stl', WEDGE)
    const path = write('src/other/urdf/arm.urdf', meshed('package://arm_description/meshes/link.stl'))
    expect((await loadUrdf(path)).links[0]!.collisions[0]!.shape.kind).toBe('mesh')
    const told = write('told.urdf', meshed('package://elsewhere/parts/link.stl'))
    await expect(loadUrdf(told)).rejects.toThrow(
      /told.urdf line 3: mesh file "package:\/\/elsewhere\/parts\/link.stl" not found.*--set packages=FOLDER/,
    )
    write('far/away/package.xml', '<package><name>elsewhere</name></package>')
    write('far/away/parts/link.stl', WEDGE)
    expect((await loadUrdf(told, { packages: { elsewhere: join(folder, 'far/away') } })).links).toHaveLength(1)
    expect((await loadUrdf(told, { packages: [join(folder, 'far')] })).links).toHaveLength(1)
    expect((await loadUrdf(write('url.urdf', meshed(`file://${mesh}`)))).links).toHaveLength(1)
  })

  it('finds packages by package.xml, along ROS_PACKAGE_PATH, and moved ones by the end of the path', async () => {
    write('repo-main/package.xml', '<package format="3"><name>mini_description</name></package>')
    write('repo-main/meshes/link.stl', WEDGE)
    const named = write('repo-main/urdf/arm.urdf', meshed('package://mini_description/meshes/link.stl'))
    expect((await loadUrdf(named)).links[0]!.collisions).toHaveLength(1)
    const renamed = write('repo-main/urdf/old.urdf', meshed('package://old_name/meshes/link.stl'))
    expect((await loadUrdf(renamed)).links[0]!.collisions).toHaveLength(1)
    const moved = write('repo-main/urdf/moved.urdf', meshed('file:///home/someone/ws/src/mini/meshes/link.stl'))
    expect((await loadUrdf(moved)).links[0]!.collisions).toHaveLength(1)
    const windows = write('repo-main/urdf/windows.urdf', meshed('..\\meshes\\link.stl'))
    expect((await loadUrdf(windows)).links[0]!.collisions).toHaveLength(1)
    const elsewhere = write('alone/arm.urdf', meshed('package://mini_description/meshes/link.stl'))
    await expect(loadUrdf(elsewhere)).rejects.toThrow(/not found/)
    process.env['ROS_PACKAGE_PATH'] = `/nowhere${delimiter}${folder}`
    try {
      expect((await loadUrdf(elsewhere)).links[0]!.collisions).toHaveLength(1)
    } finally {
      delete process.env['ROS_PACKAGE_PATH']
    }
  })

  it('says which file is missing or broken, and in which line', async () => {
    await expect(loadUrdf(join(folder, 'none.urdf'))).rejects.toThrow(/URDF file .*none.urdf/)
    await expect(loadUrdf(folder)).rejects.toThrow(/must be a file/)
    write('broken.stl', WEDGE.subarray(0, 100))
    await expect(loadUrdf(write('broken.urdf', meshed('broken.stl')))).rejects.toThrow(
      /broken.urdf line 3: STL broken.stl/,
    )
    write('scene.glb', 'glTF')
    await expect(loadUrdf(write('other.urdf', meshed('scene.glb')))).rejects.toThrow(/expected an STL, OBJ or DAE/)
    for (const name of ['../../..', 'file://%2F', 'file://host/a.stl', 'package://..', 'a\\b.stl']) {
      await expect(loadUrdf(write('odd.urdf', meshed(name))), name).rejects.toBeInstanceOf(ArmatureError)
    }
  })

  it('refuses other encodings and decimal commas', async () => {
    const utf16 = new Uint8Array(Buffer.from(`\uFEFF${robot('<link name="a"/>')}`, 'utf16le'))
    await expect(loadUrdf(write('utf16.urdf', utf16))).rejects.toThrow(/expected text in UTF-8, got UTF-16; save it/)
    const comma = jointed(`${LIMIT}<origin xyz="0 0 0,12"/>`)
    await expect(loadUrdf(write('comma.urdf', comma))).rejects.toThrow(/got "0,12"; write decimal points, not commas/)
  })

  it('expands xacro by the program of the user, or names it', async () => {
    const path = write('arm.urdf.xacro', robot('<xacro:arm/>'))
    const before = process.env['PATH']
    process.env['PATH'] = join(folder, 'bin')
    try {
      await expect(loadUrdf(path)).rejects.toThrow(/xacro, which .*arm.urdf.xacro needs; install it/)
      const script = write('bin/xacro', "#!/bin/sh\necho \"<robot name='$2'><link name='a'/></robot>\"\n")
      chmodSync(script, 0o755)
      expect((await loadUrdf(path, { xacroArguments: ['size:=2'] })).name).toBe('size:=2')
      write('bin/xacro', '#!/bin/sh\necho "No such file: common.xacro" >&2\nexit 2\n')
      await expect(loadUrdf(path)).rejects.toThrow(/expected a robot, got No such file: common.xacro/)
    } finally {
      process.env['PATH'] = before
    }
  })
})
