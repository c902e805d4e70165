import { expect, it } from 'vitest';
import { CATALOGUE } from '../../activities/phases/catalogue.ts';
import { versionReplaces } from '../../lab/mirror/go/module.ts';
import { GoWorkshop } from '../../lab/mirror/go/workshop.ts';
import { scanRecipes } from '../../lab/mirror/recipes.ts';
import { openWeb } from '../../lab/mirror/sources/web.ts';
import { chooseUnits, mirrorUnits } from '../../lab/mirror/units.ts';

const GO_MOD = `module example.com/project

go 1.23.8

require (
	k8s.io/api v0.30.0 // indirect
	github.com/a/b v1.0.0
)

replace github.com/own/api => ./api

replace github.com/single/line => github.com/single/line v1.2.3

replace (
	github.com/own/tool v0.1.0 => ../tool
	k8s.io/api => k8s.io/api v0.29.15
	github.com/fork/of v1.0.0 => github.com/other/of v1.0.1 // why
)
`;

it('what a go.mod replaces by versions is replaced in the build, what it replaces by folders is not', () => {
  expect(versionReplaces(GO_MOD)).toEqual([
    'replace github.com/single/line => github.com/single/line v1.2.3',
    'replace k8s.io/api => k8s.io/api v0.29.15',
    'replace github.com/fork/of v1.0.0 => github.com/other/of v1.0.1',
  ]);
});

const recipes = await scanRecipes();
const kubernetesVersion = '1.36.3';
const workshop = new GoWorkshop({ cacheDir: '/nowhere', workDir: '/nowhere', arch: 'amd64', kubernetesVersion });
const options = { arch: 'amd64', kubernetesVersion, workshop, web: openWeb(), catalogue: CATALOGUE } as const;
const units = mirrorUnits({ ...options, recipes });

it('a set is one unit with all its artifacts and images, which a mirror has on demand', () => {
  const [unit, ...others] = chooseUnits(units, { only: [], with: ['calico'] });
  expect(others).toEqual([]);
  expect(unit?.files.map(({ mirrorPath }) => mirrorPath)).toEqual([
    'calico/v3.28.5/calicoctl-linux-amd64',
    'calico/v3.28.5/crds.yaml',
    ...['node', 'cni', 'kube-controllers', 'typha'].map((name) => `images/calico-${name}-3.28.5-amd64.tar`),
  ]);
  expect(chooseUnits(units, {}).map(({ name }) => name)).not.toContain('calico');
});

it.each(recipes.flatMap((recipe) => (recipe.kind === 'go-set' ? [recipe] : [])))(
  'every program in an image or artifact of $unit is an output of its build',
  ({ build, images, artifacts }) => {
    const outputs = new Set(build('3.28.5').builds.map(({ output }) => output));
    const named = [
      ...images.flatMap(({ programs }) => Object.values(programs)),
      ...artifacts.flatMap(({ artifact, from }) =>
        from === undefined ? artifact.file(artifact.version, 'amd64').members.map(({ name }) => name) : [],
      ),
    ];
    expect(named.filter((name) => !outputs.has(name))).toEqual([]);
  },
);
