import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { node, pod } from "../../../test/support/cluster-objects.ts";
import { TEMPLATE_SHAPE, templateData } from "../template-data.ts";
import { Template } from "./template.ts";
import { TemplateError } from "./template-error.ts";

const data = templateData(
  { trustDomain: "example.test", clusterName: "east", clusterDomain: "cluster.local" },
  pod("web-1", {
    metadata: {
      labels: { app: "web", "app.kubernetes.io/name": "Shop Web" },
      annotations: { a: "b" },
    },
  }),
  node("node-1", { labels: { zone: "z1" } }),
);

const render = (source: string): string => Template.parse(source, TEMPLATE_SHAPE).render(data);

const rendered = [
  ["spiffe://{{ .TrustDomain }}/ns/{{.PodMeta.Namespace}}/x", "spiffe://example.test/ns/shop/x"],
  ["{{ .ClusterName }}.{{ $.ClusterDomain }}", "east.cluster.local"],
  ["{{ .PodMeta.Name }} {{ .PodMeta.UID }}", "web-1 uid-web-1"],
  ["{{ .PodSpec.ServiceAccountName }} {{ .PodSpec.NodeName }}", "web node-1"],
  ["{{ .NodeMeta.UID }} {{ .NodeMeta.Labels.zone }}", "uid-node-1 z1"],
  ["{{ .PodMeta.Labels.app }}", "web"],
  ["[{{ .PodMeta.Labels.missing }}]", "[]"],
  ['{{ index .PodMeta.Labels "app.kubernetes.io/name" | lower | replace " " "-" }}', "shop-web"],
  ["{{ index .PodMeta.Labels `app` }}", "web"],
  ["a  {{- /* said */ -}}  b", "ab"],
  ["a {{ /* said */ }} b", "a  b"],
  ["x {{- .PodMeta.Name -}} y", "xweb-1y"],
  ['{{ if eq .PodMeta.Labels.app "web" "api" }}yes{{ else }}no{{ end }}', "yes"],
  ["{{ if .PodSpec.Hostname }}h{{ else if .PodMeta.Name }}n{{ else }}e{{ end }}", "n"],
  ["{{ if and .PodMeta.Name (not .PodSpec.Hostname) }}both{{ end }}", "both"],
  ['{{ or .PodSpec.Hostname "none" }}', "none"],
  ["{{ with .PodMeta.Labels.app }}{{ . }} of {{ $.PodMeta.Namespace }}{{ end }}", "web of shop"],
  ['{{ .PodSpec.Subdomain | default "none" }}', "none"],
  [
    '{{ printf "%s-%05d|%-4s|%q|%x|%t|%v%%" .PodMeta.Name 12 "a" "b" 255 true 3 }}',
    'web-1-00012|a   |"b"|ff|true|3%',
  ],
  ["{{ print .PodMeta.Name 1 true }}", "web-11true"],
  ['{{ trimPrefix "web-" .PodMeta.Name }}{{ .PodMeta.Name | trimSuffix "-1" }}', "1web"],
  ["{{ trunc 3 .PodMeta.Name }}{{ trunc -1 .PodMeta.Name }}", "web1"],
  [
    '{{ if hasPrefix "web" .PodMeta.Name }}p{{ end }}{{ if contains "eb" .PodMeta.Name }}c{{ end }}',
    "pc",
  ],
  ["{{ len .PodMeta.Labels }}{{ len .PodMeta.Name }}", "25"],
  ["{{ if lt 1 2 }}{{ if ge 2 2 }}ok{{ end }}{{ end }}", "ok"],
  ["{{ upper (printf `%s` .PodMeta.Labels.app) }}", "WEB"],
  ["no action } at all {", "no action } at all {"],
] as const;

const refused = [
  ["{{", 'column 1: "{{" is never closed'],
  ["{{ .PodMeta.Name ", 'column 1: "{{" is never closed'],
  ["{{}}", "column 3: a value is missing"],
  ["{{ end }}", 'column 1: "else" or "end" without a condition'],
  ["{{ if true }}x", 'column 1: "end" is missing'],
  [
    "{{ range .PodMeta.Labels }}{{ end }}",
    "column 4: loops are not supported: a template gives one value",
  ],
  ['{{ template "x" }}', "column 4: templates inside of templates are not supported"],
  ["{{ $x := 1 }}", "column 4: variables are not supported"],
  ['{{ "a }}', "column 4: a quote is never closed"],
  ["{{ 'a' }}", `column 4: "'" is not understood`],
  ['line\n{{ "\\u0000" }}', "line 2, column 5: this escape is not supported"],
  ["{{ .PodMeta.Name .PodMeta.Name }}", "column 4: only functions take arguments"],
  ["{{ lower | .PodMeta.Name }}", "column 12: only functions can stand behind a |"],
  ["{{ lower trim .PodMeta.Name }}", "column 10: a call needs brackets around it"],
  [`{{ ${"(".repeat(33)}1${")".repeat(33)} }}`, "column 36: nested deeper than 32"],
  ["x".repeat(4097), "column 4097: longer than 4096 characters"],
] as const;

describe("Template", () => {
  for (const [source, text] of rendered) {
    it(`renders ${source}`, () => assert.equal(render(source), text));
  }

  for (const [source, message] of refused) {
    it(`refuses ${JSON.stringify(source.slice(0, 40))}`, () => {
      assert.throws(() => render(source), { name: "TemplateError", message });
    });
  }

  it("names the fields that there are when one is not", () => {
    assert.throws(() => Template.parse("{{ .PodMeta.Foo }}", TEMPLATE_SHAPE), {
      message:
        'column 4: there is no field "Foo" in .PodMeta; there are: Name, Namespace, UID, Labels, Annotations',
    });
    assert.throws(
      () => Template.parse("{{ .PodMeta.constructor }}", TEMPLATE_SHAPE),
      TemplateError,
    );
    assert.throws(() => Template.parse("{{ .PodMeta.Name.x }}", TEMPLATE_SHAPE), TemplateError);
  });

  it("names the functions that there are when one is not", () => {
    assert.throws(() => render('{{ regexReplaceAll "a+" .PodMeta.Name "b" }}'), {
      message:
        /^column 4: there is no function "regexReplaceAll"; there are and, contains, default/,
    });
  });

  it("prints no maps and no records", () => {
    const message = "column 4: a map cannot be printed, name one of its elements";
    assert.throws(() => render("{{ .PodMeta.Labels }}"), { message });
    assert.throws(() => render("{{ .PodMeta }}"), TemplateError);
  });

  it("says which argument is wrong", () => {
    assert.throws(() => render("{{ replace }}"), {
      message: "column 4: replace takes 3 arguments and got 0",
    });
    assert.throws(() => render("{{ lower 1 }}"), {
      message: "column 4: a text is expected and a number given",
    });
    assert.throws(() => render('{{ eq 1 "1" }}'), {
      message: "column 4: a number and a text cannot be compared",
    });
    assert.throws(() => render('{{ printf "%d" "x" }}'), {
      message: "column 4: printf cannot write a text as %d",
    });
  });

  it("gives bounded output", () => {
    const grow = '{{ replace "x" "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" ';
    const source = `${grow}(replace "x" "${"x".repeat(999)}" "xxxx") }}`;
    assert.throws(() => render(source), { message: /gives more than 8192 characters/ });
    const wide = '{{ printf "%999s" "" }}'.repeat(9);
    assert.throws(() => render(wide), { message: /gives more than 8192 characters/ });
  });

  it("tells which fields it reads", () => {
    const source =
      '{{ if .PodSpec.Hostname }}{{ index .PodMeta.Labels "x" }}{{ $.PodMeta.Name }}{{ end }}';
    assert.deepEqual(Template.parse(source, TEMPLATE_SHAPE).paths, [
      "PodSpec.Hostname",
      "PodMeta.Labels",
      "PodMeta.Name",
    ]);
  });

  it("either renders or says where and why, whatever it is given", () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        "{{",
        "}}",
        " - ",
        "{{-",
        "-}}",
        "if ",
        "else ",
        "end",
        "with ",
        "|",
        "(",
        ")",
        '"',
      ),
      fc.constantFrom(
        ".PodMeta",
        ".Labels",
        ".Name",
        "$",
        ".",
        "index ",
        "printf ",
        "replace ",
        "/*",
        "*/",
      ),
      fc.constantFrom("%s", "%999d", "`", "\\", "1", "-1", "true", " "),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          assert.equal(typeof render(pieces.join("")), "string");
        } catch (err) {
          assert.ok(err instanceof TemplateError, String(err));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("leaves text without actions as it is", () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes("{{")),
        (text) => assert.equal(render(text), text),
      ),
    );
  });
});
