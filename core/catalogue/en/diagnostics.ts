import type { DiagnosticCode } from '@hyperward/model'

/** One sentence (or two) per diagnostic: what is wrong, with what, and what to write instead. `[…]` is left out when a parameter in it is empty; `{@x}` is a term. */
export const diagnosticsEn = {
  'address.host-bits':
    '"{text}" has bits set beyond its prefix length. Write "{remedy}", or the single address without a length.',
  'address.malformed': '"{text}" is not {@expected}. Write it like {example}.',
  'date.malformed': '"{text}" is not {@expected}. Write it like {example}.',
  'document.alias':
    'YAML aliases (*name) are not accepted. Give the value a name as a group or a service and use that name.',
  'document.empty': 'The document is empty. It must begin with apiVersion: {version}.',
  'document.not-yaml': 'This is not well-formed YAML: {reason}',
  'document.several': 'The file holds more than one YAML document. Keep one document in a file.',
  'document.too-deep': 'The document is nested deeper than {limit} levels.',
  'document.too-large': 'The document has {size} characters; the most that is read is {limit}.',
  'document.too-many-files': 'There are {count} files; at most {limit} are read together.',
  'document.too-many-problems': 'There are more problems than the {limit} shown. Mend these first.',
  'document.too-many-values': 'The document has more than {limit} words and marks. Split it, or name what is repeated.',
  'document.wrong-kind': 'kind is "{text}", but a document of kind {expected} is wanted here.',
  'document.wrong-version': 'apiVersion is "{text}", but this release reads {expected}.',
  'field.duplicate': 'The key "{field}" is written twice; the first is in line {line}[ of {file}]. Keep one.',
  'field.missing': 'The field "{field}" is missing.[ Write {example}.]',
  'field.unknown': 'There is no field "{field}" here.[ Did you mean "{nearest}"?]',
  'field.wrong-type': 'This must be {@expected}, but it is {@actual}.',
  'group.cycle': 'The group "{group}" contains itself: {cycle}. Take one of these out of the other.',
  'group.duplicate': 'The group "{group}" is listed twice. Keep one.',
  'group.empty-selector':
    'The group "{group}" selects nothing. Give it labels, expressions, names, os, hosts, segments, networks or groups.',
  'group.except-alone':
    '"except" takes addresses out of networks or members out of groups, and here is neither. To leave out endpoints write not: labels: ….',
  'group.foreign':
    'Tenant "{tenant}" cannot name "{group}": a tenant sees its own groups and those of the provider (provider/NAME).',
  'group.mixed-selector':
    'The group "{group}" has both {first} and {second}. Keep one; to join them, make two groups and name both under groups.',
  'group.unknown': 'There is no group "{group}".[ Did you mean "{nearest}"?]',
  'guarantee.breaks-later': 'The guarantee "{guarantee}" holds now, and no more from {time} on: {breach}.',
  'guarantee.names-nothing':
    'Nothing is in "{field}" of the guarantee "{guarantee}", so it says nothing about this inventory.',
  'guarantee.not-foreseen':
    'Schedules and dates make so many different sets of rules that only the first {most} were proved: nothing is said of what holds from {time} on.',
  'guarantee.one-statement': 'The guarantee "{guarantee}" must have exactly one of never, always and only-through.',
  'host.malformed': '"{text}" is not a host name. Use lower-case letters, digits, "." and "-", at most 63 characters.',
  'icmp-type.unknown': '"{text}" is not an {protocol} type. Write a number from 0 to 255 or a name such as {example}.',
  'import.binary': 'The file is not text: there is a control character at offset {offset}.',
  'import.broader':
    'This rule refuses more than it did: {@reason}[ ({detail})] has no equal here, so it refuses everything else it names.',
  'import.chain-loop': 'The chains call each other in a circle, or too deep, at "{chain}".',
  'import.closed':
    'What this concerns is refused here: {@reason}[ ({detail})] has no equal, so it is not known what became of it.',
  'import.disabled': 'This rule was switched off; it is left out.',
  'import.doctype': 'The XML file declares a DOCTYPE; such files are not read.',
  'import.encoding':
    'The file is neither UTF-8 nor UTF-16 with a byte order mark. Convert it first, for instance with iconv.',
  'import.enforced-now': 'The firewall of {of} was switched off there; here its rules are in force.',
  'import.ignored': 'Not taken over: {@reason}[ ({detail})].',
  'import.left-out':
    'This rule is left out: {@reason}[ ({detail})] has no equal here. What it let through does not pass.',
  'import.malformed': 'This cannot be read: "{text}".',
  'import.nothing': 'There is nothing to import in these files.',
  'import.one-family': 'There is no file for {family}: nothing of {family} passes.',
  'import.reply-passes':
    'Here this rule refused answers to connections that began the other way, by their port; in the result such answers pass.',
  'import.reply-refused':
    'This rule also refused answers to connections that began the other way; such connections are refused from their beginning.',
  'import.same-name': '"{name}" is there twice. Give each file once.',
  'import.stateless':
    'The chains do not let answers of the connections through that "{chain}" accepts, so its rules become allow-stateless: answers need rules of their own.',
  'import.too-deep': 'The file is nested deeper than {limit} levels.',
  'import.too-large': 'The input has {size} bytes; the most that is read is {limit}.',
  'import.too-many': 'The rules come to more than {limit} when chains and lists are written out.',
  'import.view-unclear':
    'Rules stand both in FORWARD and in INPUT or OUTPUT. Say whose file this is: --view guest or --view host.',
  'import.wrong-kind': 'This is not {@expected}.',
  'inventory.duplicate-address':
    'The address {address} belongs to endpoint {other} already. Neither may use it until only one has it.',
  'inventory.duplicate-endpoint': 'The VM {vm} has two endpoints with the MAC {mac}. Keep one.',
  'inventory.duplicate-host': 'The host "{host}" is listed twice. Keep one.',
  'inventory.duplicate-mac': 'The MAC {mac} belongs to endpoint {other} already. Give each endpoint its own.',
  'inventory.duplicate-vm': 'The VM {vm} is listed twice. Keep one.',
  'inventory.unknown-host': 'The host "{host}" is not under hosts.[ Did you mean "{nearest}"?]',
  'label.unknown-key': 'No VM that the group "{group}" can see has a label "{label}".[ Did you mean "{nearest}"?]',
  'lint.allows-everything':
    'The rule {rule} lets everything through, from anywhere to anywhere ({service}). Say who may reach what.',
  'lint.contradiction':
    '{first} ({action}) and {rule} ({other}) contradict each other where they meet, and neither is the exception of the other: {source} → {destination} {service} is decided by {first}, because it comes first. Narrow one of them, or say what is meant with a rule before both.',
  'lint.empty-group': 'The group "{group}" has no members in this inventory.',
  'lint.expired': 'The rule {rule} ended on {date} and holds no more. Take it out, or give it a later date.',
  'lint.expiring': 'The rule {rule} ends on {date}. What it decides is decided by others from then on.',
  'lint.idle-tenant':
    'The tenant "{tenant}" has rules, but no endpoint in this inventory: none of them is in force anywhere.',
  'lint.monitor-forgotten':
    'The rule {rule} only watches (monitor), without an end. Put it in force, or give it a date in expires.',
  'lint.never-matches': 'The rule {rule} matches nothing: {@reason}[ ({groups})].',
  'lint.open-from-inside':
    'The rule {rule} lets its source reach every address with every service ({service}). Name the services it needs.',
  'lint.open-to-world':
    'The rule {rule} lets every address reach its destination with every service ({service}). Name the services it offers.',
  'lint.redundant': 'The rule {rule} changes nothing: without it {by} would say the same. It can be taken out.',
  'lint.shadowed':
    'The rule {rule} never decides: {by} before it takes all it would match. Move it up, or take it out.',
  'lint.unused-group': 'Nothing names the group "{group}".',
  'lint.unused-name': 'Nothing names the {@thing} "{name}".',
  'lint.unused-rule': 'The rule {rule} has not decided a single connection[ since {since}].',
  'mac.malformed': '"{text}" is not the MAC address of a network card. Write it like 52:54:00:12:34:56.',
  'name.duplicate':
    'The {@thing} "{name}" is there twice; the first is in line {line}[ of {file}]. Give each its own name.',
  'name.foreign':
    'Tenant "{tenant}" cannot name the {@thing} "{name}": a tenant sees its own and those of the provider (provider/NAME).',
  'name.malformed':
    '"{text}" cannot be the name of a {@thing}. Use letters and digits of any script, inside also ".", "_" and "-".',
  'name.reserved': '"{text}" has a meaning of its own and cannot be the name of a {@thing}. Choose another.',
  'name.too-long':
    'The name of this {@thing} has {length} characters; at most {limit} are allowed. It begins "{start}".',
  'name.unknown': 'There is no {@thing} "{name}".[ Did you mean "{nearest}"?]',
  'number.out-of-range': '"{text}" is not a whole number from {from} to {to}.',
  'pattern.too-long': 'The pattern has {length} characters; at most {limit} are allowed.',
  'policy.order-missing':
    'The policy "{policy}" needs an order: policies here come from several files, or some of them have one.',
  'policy.order-tie': 'The policies "{policy}" and "{other}" both have order {order}. Give each its own.',
  'port.duplicate': '{@what} {text} is listed twice. Keep one.',
  'port.inverted-range': 'The range {text} runs backwards. Write {remedy}.',
  'port.malformed': '"{text}" is not a {@what}. Write a number, a range such as {example}, or any.',
  'port.out-of-range': '{@what} {text} is outside {from}-{to}.',
  'port.overlap': '{first} and {second} overlap. Write one range, {remedy}.',
  'protocol.out-of-range': '"{text}" is not a protocol number. Write a number from 0 to 255, such as 47 for GRE.',
  'rule.action-unknown': '"{text}" is not an action. Write {known}.[ Did you mean "{nearest}"?]',
  'rule.any-in-list': '"any" stands for everything and cannot be one of a list. Write it alone, or take it out.',
  'rule.direction-unknown': '"{text}" is not a direction. Write ingress, egress or both.[ Did you mean "{nearest}"?]',
  'rule.empty-side': 'The list under {field} is empty, so the rule would match nothing. Name a group, or write any.',
  'rule.nothing-left': 'Under {field}, "not" takes out all that is named, so the rule would match nothing.',
  'rule.profile-without-inspect': 'A profile goes with the action inspect only; this rule has {action}.',
  'schedule.day-unknown':
    '"{text}" is not a day of the week. Write mon, tue, wed, thu, fri, sat, sun, or a run such as mon-fri.[ Did you mean "{nearest}"?]',
  'schedule.never': 'This never holds: {@reason}. A rule with it would never be active.',
  'schedule.time-malformed': '"{text}" is not a time of day. Write it like {example}.',
  'schedule.zone-unknown':
    'There is no time zone "{text}". Write a name of the IANA list such as Europe/Berlin.[ Did you mean "{nearest}"?]',
  'selector.expression': 'An expression on "{label}" must have exactly one of in, notin and exists.',
  'selector.matches-everything':
    'The group "{group}" selects every one of the {count} endpoints that it can see. If that is meant, write any, or name the tenants.',
  'selector.matches-nothing':
    'No {@what} that the group "{group}" can see matches "{text}".[ Did you mean "{nearest}"?]',
  'service.cycle': 'The service "{service}" contains itself: {cycle}. Take one of these out of the other.',
  'service.empty': 'The service matches nothing. Give it tcp, udp, sctp, icmp, icmpv6, protocol or services.',
  'service.foreign':
    'Tenant "{tenant}" cannot name "{service}": a tenant sees its own services and those of the provider (provider/NAME).',
  'service.too-large':
    'Services joined out of others come to more than {limit} port ranges in all. Name large services by themselves, or merge their ranges.',
  'service.too-many':
    'The services name {count} port ranges in all; the most that can be told apart is {limit}. Merge ranges.',
  'service.unknown': 'There is no service "{service}".[ Did you mean "{nearest}"?]',
  'tenant.unknown': 'There is no tenant "{tenant}" in the policy.[ Did you mean "{nearest}"?]',
  'uuid.malformed': '"{text}" is not a UUID. Write it like 4dea22b3-1d52-d8f3-2516-782e98ab3fa0.',
} as const satisfies Record<DiagnosticCode, string>
