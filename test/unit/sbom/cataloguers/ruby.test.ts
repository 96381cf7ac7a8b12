import { expect } from 'chai';
import fc from 'fast-check';
import { parseGemSpecification, ruby } from '../../../../src/sbom/cataloguers/ruby.ts';
import { catalogue, layer } from '../image-fixture.ts';

/** As RubyGems writes it, shortened. */
const actionpack = `# -*- encoding: utf-8 -*-
# stub: actionpack 7.1.3 ruby lib

Gem::Specification.new do |s|
  s.name = "actionpack".freeze
  s.version = "7.1.3"

  s.required_rubygems_version = Gem::Requirement.new(">= 0".freeze) if s.respond_to? :required_rubygems_version=
  s.metadata = { "source_code_uri" => "https://github.com/rails/rails" } if s.respond_to? :metadata=
  s.require_paths = ["lib".freeze]
  s.authors = ["David Heinemeier Hansson".freeze, "Ren\\u00E9".freeze]
  s.homepage = "https://rubyonrails.org".freeze
  s.licenses = ["MIT".freeze, "Ruby".freeze]
  s.specification_version = 4

  s.add_runtime_dependency(%q<rack>.freeze, [">= 2.2.4"])
  s.add_dependency "nokogiri", ">= 1.8"
  s.add_development_dependency(%q<rake>.freeze, [">= 0"])
end
`;
const gem = (name: string, version: string, more = ''): string =>
  `Gem::Specification.new do |s|\n  s.name = "${name}"\n  s.version = "${version}"\n${more}end\n`;
const home = 'usr/local/bundle/specifications';

describe('ruby cataloguer', () => {
  it('lists gems with the newest installed version of what they need', async () => {
    const { components } = await catalogue(
      [
        layer({
          [`${home}/actionpack-7.1.3.gemspec`]: actionpack,
          [`${home}/rack-2.2.9.gemspec`]: gem('rack', '2.2.9'),
          [`${home}/rack-2.2.10.gemspec`]: gem('rack', '2.2.10'),
          [`${home}/default/rake-13.0.6.gemspec`]: gem('rake', '13.0.6'),
          [`${home}/nokogiri-1.16.0-x86_64-linux.gemspec`]: gem(
            'nokogiri',
            '1.16.0',
            '  s.platform = "x86_64-linux".freeze\n',
          ),
          'usr/local/bundle/gems/x-1/x.gemspec': gem('x', '1'),
        }),
      ],
      [ruby],
    );
    const found = new Map(components.map((component) => [component.ref, component]));
    expect([...found.keys()]).to.deep.equal([
      'pkg:gem/actionpack@7.1.3',
      'pkg:gem/nokogiri@1.16.0',
      'pkg:gem/rack@2.2.10',
      'pkg:gem/rack@2.2.9',
      'pkg:gem/rake@13.0.6',
    ]);
    expect(found.get('pkg:gem/actionpack@7.1.3')).to.deep.include({
      dependsOn: ['pkg:gem/rack@2.2.10', 'pkg:gem/nokogiri@1.16.0'],
      dependencies: 'complete',
      licences: ['MIT', 'Ruby'],
      supplier: { name: 'David Heinemeier Hansson' },
    });
    expect(found.get('pkg:gem/nokogiri@1.16.0')?.properties).to.deep.equal({
      'gem:platform': 'x86_64-linux',
    });
  });

  it('decodes escapes, and leaves out what only running Ruby would tell', () => {
    expect(parseGemSpecification(Buffer.from(actionpack))?.authors).to.deep.equal([
      'David Heinemeier Hansson',
      'René',
    ]);
    expect(parseGemSpecification(Buffer.from('s.name = "a"\ns.version = VERSION\n'))).to.equal(undefined);
    expect(
      parseGemSpecification(Buffer.from('s.name = "a"\ns.version = "1"\ns.homepage = "https://x/#{s.name}"')),
    ).to.deep.equal({
      name: 'a',
      version: '1',
    });
  });

  it('reads long hostile lines in linear time', () => {
    const began = process.cpuUsage();
    parseGemSpecification(
      Buffer.from(`s.name = ${'"'.repeat(200_000)}\ns.add_dependency${' '.repeat(200_000)}x\n`),
    );
    expect(process.cpuUsage(began).user).to.be.below(2_000_000);
  });

  it('takes any text', () => {
    fc.assert(
      fc.property(
        fc.string(),
        (text) => void parseGemSpecification(Buffer.from(`s.name = ${text}\n${text}`)),
      ),
    );
  });
});
