package org.descant.rights;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** What speaks for and against a use while it is being judged. Not thread-safe. */
final class Verdict {
  private final Set<Reason> refusals = new LinkedHashSet<>();
  private final Set<Reason> allowances = new LinkedHashSet<>();
  private final List<Grant> grants = new ArrayList<>();
  private final Set<String> rules = new TreeSet<>();

  static Verdict unknown(Isrc isrc) {
    Verdict verdict = new Verdict();
    verdict.refuse(Sentences.unknown(isrc));
    return verdict;
  }

  void refuse(Reason reason) {
    refusals.add(reason);
  }

  void grant(Grant grant, Reason reason) {
    grants.add(grant);
    allowances.add(reason);
  }

  /** Notes the content of an owner, agreement or choice that decides. */
  void rule(String canonical) {
    rules.add(canonical);
  }

  /** Allowed only by somebody, and against nobody. */
  boolean allowed() {
    return refusals.isEmpty() && !allowances.isEmpty();
  }

  /** Who granted it, when it is allowed; else everything that stands against it. */
  List<Reason> reasons() {
    return List.copyOf(allowed() ? allowances : refusals);
  }

  List<Grant> grants() {
    return List.copyOf(grants);
  }

  String codes() {
    return reasons().stream().map(reason -> reason.code().name()).collect(Collectors.joining(","));
  }

  String rulesHash() {
    return Canonical.hash("rules/1\n" + String.join("\n", rules));
  }
}
