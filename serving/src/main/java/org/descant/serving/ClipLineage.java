package org.descant.serving;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.descant.catalog.Catalog;
import org.descant.catalog.CatalogEntry;
import org.descant.engine.StyleReference;
import org.descant.ledger.Transfer;
import org.descant.ledger.Usage;
import org.descant.provenance.Artefact;
import org.descant.provenance.Lineage;
import org.descant.provenance.Lineage.Node;
import org.descant.provenance.TransparencyLog;
import org.jspecify.annotations.Nullable;

/** Where a clip joins the thread from recordings to money, and the log. Thread-safe. */
final class ClipLineage {
  private final Lineage lineage;
  private final TransparencyLog log;
  private final Catalog catalog;

  ClipLineage(House house) {
    this.lineage = house.lineage();
    this.log = house.log();
    this.catalog = house.catalog();
  }

  /** The decision that allows a style joins the thread before anything rests on it. */
  void recordStyle(@Nullable StyleReference style) {
    if (style == null || lineage.find(style.cleared().decisionId()).isPresent()) {
      return;
    }
    String isrc = style.cleared().isrc().toString();
    List<Node> nodes = new ArrayList<>();
    if (lineage.find(isrc).isEmpty()) {
      CatalogEntry entry = catalog.show(isrc);
      nodes.add(
          new Node(
              Artefact.of(
                  Artefact.Kind.RECORDING,
                  isrc,
                  Map.of(
                      "title", entry.title(),
                      "artist", entry.artist(),
                      "pcmHash", style.cleared().pcmHash())),
              Set.of()));
    }
    nodes.add(
        new Node(
            Artefact.of(
                Artefact.Kind.DECISION,
                style.cleared().decisionId(),
                Map.of("use", style.cleared().use().name(), "isrc", isrc, "allowed", true)),
            Set.of(isrc)));
    lineage.record(nodes);
  }

  /** Clip, usage and transfers join the thread; the clip's facts go into the log by their hash. */
  void record(Clip clip, Usage usage, List<Transfer> transfers) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("text", Clip.shortened(clip.text()));
    facts.put("seconds", clip.seconds());
    facts.put("tempo", clip.tempo());
    facts.put("key", clip.key());
    facts.put("seed", clip.seed());
    if (clip.attempt() > 1) {
      facts.put("askedSeed", clip.askedSeed());
      facts.put("attempt", clip.attempt());
    }
    facts.put("wavSha256", clip.wavSha256());
    facts.put("flacSha256", clip.flacSha256());
    facts.put("shareRule", clip.shareRule());
    Set<String> parents = new TreeSet<>(Set.of(clip.model()));
    for (String parent : List.of(clip.styleDecision(), clip.madeFrom(), clip.melodyOf())) {
      if (!parent.isEmpty()) {
        parents.add(parent);
      }
    }
    List<Node> nodes = new ArrayList<>();
    nodes.add(new Node(Artefact.of(Artefact.Kind.CLIP, clip.id(), facts), parents));
    nodes.add(
        new Node(
            Artefact.of(
                Artefact.Kind.USAGE,
                usage.id(),
                Map.of(
                    "kind", usage.kind(),
                    "seconds", usage.seconds(),
                    "amountMicros", usage.amountMicros(),
                    "currency", usage.currency(),
                    "at", usage.at().toString())),
            Set.of(clip.id())));
    for (Transfer transfer : transfers) {
      nodes.add(
          new Node(
              Artefact.of(
                  Artefact.Kind.TRANSFER,
                  transfer.id(),
                  Map.of(
                      "from", transfer.fromAccount(),
                      "to", transfer.toAccount(),
                      "amountMicros", transfer.amountMicros(),
                      "currency", transfer.currency(),
                      "rule", transfer.rule(),
                      "reason", transfer.reason())),
              Set.of(usage.id())));
    }
    lineage.record(nodes);
    log.append(ClipStore.json(Map.of("clip", clip.id(), "facts", facts)));
  }
}
