import { checkDnsName, MAX_DNS_NAMES } from "../../proto/convert/dns-name.ts";
import { type Selector, sortSelectors } from "../../proto/selector.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { Namespace } from "../k8s/objects/namespace.ts";
import type { Node } from "../k8s/objects/node.ts";
import type { Pod } from "../k8s/objects/pod.ts";
import {
  type DesiredEntry,
  ENTRY_LABELS,
  isPodUidSelector,
  podUidSelector,
} from "./desired-entry.ts";
import { checkAllowed, ttlsOf, uniqueNames } from "./entry-rules.ts";
import { ownerOf, rootOwnerOf } from "./owner.ts";
import type { PodSurroundings } from "./pod-surroundings.ts";
import { nodeAgentId, type RegistrarRules } from "./registrar-rules.ts";
import { readSelector } from "./resources/fields.ts";
import type { PodRule } from "./resources/pod-rule.ts";
import { originOf } from "./resources/resource.ts";
import type { Service } from "./service.ts";
import type { TemplateRecord } from "./template/template-value.ts";
import { templateData } from "./template-data.ts";
import { tenantInputs } from "./tenant-inputs.ts";

/** Renders rules for one pod; what several rules need is made once. */
export class PodRendering {
  readonly #around: PodSurroundings & { readonly node: Node; readonly namespace: Namespace };
  readonly #settings: RegistrarRules;
  readonly #data: TemplateRecord;
  readonly #owner: string;
  readonly #rootOwner: string;

  constructor(
    around: PodSurroundings & { readonly node: Node; readonly namespace: Namespace },
    settings: RegistrarRules,
  ) {
    const { pod, node, namespace, lookupOwner } = around;
    this.#around = around;
    this.#settings = settings;
    this.#data = templateData(settings, pod, node);
    const root = rootOwnerOf(pod, lookupOwner);
    this.#rootOwner = root.name;
    this.#owner = ownerOf(pod, namespace, root);
  }

  /** The entry that a rule gives the pod. @throws {Error} naming the field that gives nothing valid */
  entry(rule: PodRule): DesiredEntry {
    const { pod, node } = this.#around;
    const id = within("spiffeIDTemplate", () =>
      SpiffeId.parse(`${rule.idPrefix}${rule.idTemplate.render(this.#data)}`),
    );
    const entry: DesiredEntry = {
      spiffeId: id.toString(),
      parentId: nodeAgentId(this.#settings, node.uid),
      selectors: sortSelectors([
        podUidSelector(pod.uid),
        ...rule.workloadSelectorTemplates.map((template, index) =>
          within(`workloadSelectorTemplates[${index}]`, () =>
            ownSelector(pod, template.render(this.#data)),
          ),
        ),
      ]),
      ...ttlsOf(rule, this.#settings),
      federatesWith: rule.federatesWith,
      admin: rule.admin,
      downstream: rule.downstream,
      storeSvid: false,
      dnsNames: this.#dnsNames(rule),
      hint: rule.hint,
      owner: this.#owner,
      labels: this.#labels(rule),
      origin: originOf(rule, this.#settings.clusterName),
    };
    checkAllowed(id, entry, this.#settings);
    return entry;
  }

  #dnsNames(rule: PodRule): readonly string[] {
    const given = rule.dnsNameTemplates.map((template, index) =>
      within(`dnsNameTemplates[${index}]`, () => {
        const name = template.render(this.#data);
        checkDnsName(JSON.stringify(name.slice(0, 100)), name);
        return name;
      }),
    );
    const names = uniqueNames([
      ...given,
      ...(rule.autoPopulateDnsNames ? this.#serviceNames() : []),
    ]);
    if (names.length > MAX_DNS_NAMES) throw new Error(`more than ${MAX_DNS_NAMES} DNS names`);
    return names;
  }

  #serviceNames(): readonly string[] {
    const { pod, services } = this.#around;
    if (services === undefined) {
      throw new Error("autoPopulateDNSNames: the services of the cluster are not known yet");
    }
    const names = [...services]
      .filter(({ selector }) => isBehind(pod, selector))
      .flatMap(({ name }) => {
        const inNamespace = `${name}.${pod.namespace}`;
        const inCluster = `${inNamespace}.svc.${this.#settings.clusterDomain}`;
        return [name, inNamespace, `${inNamespace}.svc`, inCluster];
      });
    return names.sort();
  }

  #labels(rule: PodRule): Readonly<Record<string, string>> {
    const { pod } = this.#around;
    const inputs = tenantInputs(rule).join(", ").slice(0, 500);
    return {
      [ENTRY_LABELS.clusterUid]: this.#settings.clusterUid,
      [ENTRY_LABELS.namespace]: pod.namespace,
      [ENTRY_LABELS.pod]: pod.name,
      [ENTRY_LABELS.rootOwner]: this.#rootOwner,
      ...(inputs !== "" && { [ENTRY_LABELS.restsOn]: inputs }),
    };
  }
}

// An entry belongs to the pod that its selector names, so it names no other.
function ownSelector(pod: Pod, text: string): Selector {
  const selector = readSelector(text);
  if (isPodUidSelector(selector) && selector.value !== podUidSelector(pod.uid).value) {
    throw new Error("expected no k8s:pod-uid selector of another pod");
  }
  return selector;
}

// A service without a selector names its endpoints itself, and they need not be pods.
function isBehind(pod: Pod, selector: Service["selector"]): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => pod.labels[key] === value);
}

function within<T>(field: string, make: () => T): T {
  try {
    return make();
  } catch (err) {
    throw new Error(`${field}: ${err instanceof Error ? err.message : "failed"}`, { cause: err });
  }
}
