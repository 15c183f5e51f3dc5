package org.descant.rights;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * From the recordings that shaped a clip to the people behind them.
 *
 * <p>The rule: a clip is divided among recordings by their weights. Within a recording, half goes
 * to those who made the recording and half to those who wrote its works; where only one kind is
 * known it has the whole. Within each half everybody has the same part, however many roles they
 * had; somebody with several roles has their part divided equally among the roles. Where nobody at
 * all is known to have contributed, the owners of the recording stand in, as {@code RightsHolder}.
 * All parts are whole millionths, rounded by largest remainder at every step, so they add up
 * exactly.
 */
public final class Credits {
  /** The role of owners who stand in for contributors that nobody named. */
  public static final String RIGHTS_HOLDER = "RightsHolder";

  private final Rights rights;

  Credits(Rights rights) {
    this.rights = rights;
  }

  /**
   * Folds weighted recordings into people with their roles.
   *
   * @param weights at least one above zero; a recording may come more than once
   * @return credits above zero that add up to exactly {@link Credit#WHOLE_MICROS}: by recording in
   *     the order given, its makers before its writers
   * @throws RightsException when a recording is not registered or nobody is known behind it
   */
  public List<Credit> fold(List<RecordingWeight> weights) {
    Map<Isrc, Double> byIsrc = new LinkedHashMap<>();
    weights.forEach(weight -> byIsrc.merge(weight.isrc(), weight.weight(), Double::sum));
    byIsrc.values().removeIf(weight -> weight == 0);
    if (byIsrc.isEmpty()) {
      throw new RightsException(
          "Credits need at least one recording with a weight above zero: attribute the clip first");
    }
    for (Map.Entry<Isrc, Double> entry : byIsrc.entrySet()) {
      requireFinite(entry.getKey(), entry.getValue());
    }
    Map<Isrc, Recording> recordings = new HashMap<>();
    Map<String, Work> works = new HashMap<>();
    Set<String> workIds = new LinkedHashSet<>();
    for (Recording recording : rights.recordings(byIsrc.keySet())) {
      recordings.put(recording.isrc(), recording);
      workIds.addAll(recording.workIds());
    }
    rights.works(workIds).forEach(work -> works.put(work.id(), work));

    List<Credit> credits = new ArrayList<>();
    List<Isrc> isrcs = List.copyOf(byIsrc.keySet());
    int[] parts = divide(Credit.WHOLE_MICROS, List.copyOf(byIsrc.values()));
    for (int i = 0; i < parts.length; i++) {
      Recording recording = recordings.get(isrcs.get(i));
      if (recording == null) {
        throw new RightsException(
            "The recording %s is not registered, so nobody can be credited for it"
                .formatted(isrcs.get(i)));
      }
      credit(recording, works, parts[i], credits);
    }
    return named(credits);
  }

  private List<Credit> named(List<Credit> credits) {
    Map<String, String> names = new HashMap<>();
    rights
        .parties(credits.stream().map(Credit::partyId).distinct().toList())
        .forEach(party -> names.put(party.id(), party.name()));
    return credits.stream()
        .map(credit -> credit.withName(names.getOrDefault(credit.partyId(), credit.partyId())))
        .toList();
  }

  private static void credit(
      Recording recording, Map<String, Work> works, int micros, List<Credit> credits) {
    Map<String, Set<String>> makers = rolesByParty(recording.contributors());
    List<Contributor> authors = new ArrayList<>();
    for (String workId : recording.workIds()) {
      Work work = works.get(workId);
      if (work != null) {
        authors.addAll(work.contributors());
      }
    }
    Map<String, Set<String>> writers = rolesByParty(authors);
    if (makers.isEmpty() && writers.isEmpty()) {
      makers =
          rolesByParty(
              recording.shares().stream()
                  .map(share -> new Contributor(share.partyId(), RIGHTS_HOLDER))
                  .toList());
      if (makers.isEmpty()) {
        throw new RightsException(
            "Nobody is known to be behind the recording %s: register its contributors"
                .formatted(recording.isrc()));
      }
    }
    int[] halves = divideEqually(micros, makers.isEmpty() || writers.isEmpty() ? 1 : 2);
    int next = 0;
    for (Map<String, Set<String>> half : List.of(makers, writers)) {
      if (half.isEmpty()) {
        continue;
      }
      int[] people = divideEqually(halves[next++], half.size());
      int person = 0;
      for (Map.Entry<String, Set<String>> entry : half.entrySet()) {
        int[] roles = divideEqually(people[person++], entry.getValue().size());
        int role = 0;
        for (String name : entry.getValue()) {
          int part = roles[role++];
          if (part > 0) {
            String party = entry.getKey();
            credits.add(new Credit(party, party, name, recording.isrc(), part));
          }
        }
      }
    }
  }

  private static void requireFinite(Isrc isrc, double weight) {
    if (Double.isInfinite(weight)) {
      throw new RightsException(
          "The weights of %s are too large to add: scale them to add up to 1".formatted(isrc));
    }
  }

  private static Map<String, Set<String>> rolesByParty(List<Contributor> contributors) {
    Map<String, Set<String>> roles = new LinkedHashMap<>();
    contributors.forEach(contributor ->
        roles
            .computeIfAbsent(contributor.partyId(), _ -> new LinkedHashSet<>())
            .add(contributor.role()));
    return roles;
  }

  private static int[] divideEqually(int whole, int count) {
    int[] parts = new int[count];
    for (int i = 0; i < count; i++) {
      parts[i] = whole / count + (i < whole % count ? 1 : 0);
    }
    return parts;
  }

  /** Whole parts in proportion to the weights, by largest remainder; ties go to the earlier. */
  static int[] divide(int whole, List<Double> weights) {
    double largest = weights.stream().mapToDouble(Double::doubleValue).max().orElse(0);
    // Scaled first, so that neither huge nor tiny weights leave the range of double.
    double[] scaled = weights.stream().mapToDouble(weight -> weight / largest).toArray();
    double sum = 0;
    for (double weight : scaled) {
      sum += weight;
    }
    int[] parts = new int[scaled.length];
    Map<Integer, Double> remainders = new TreeMap<>();
    int given = 0;
    for (int i = 0; i < parts.length; i++) {
      double exact = whole * (scaled[i] / sum);
      parts[i] = (int) Math.floor(exact);
      given += parts[i];
      remainders.put(i, exact - parts[i]);
    }
    List<Integer> order =
        remainders.entrySet().stream()
            .sorted(
                Map.Entry.<Integer, Double>comparingByValue(Comparator.reverseOrder())
                    .thenComparing(Map.Entry.comparingByKey()))
            .map(Map.Entry::getKey)
            .toList();
    // Rounding of the quotients can leave the sum a few millionths off either way.
    for (int i = 0; given < whole; i = (i + 1) % order.size()) {
      parts[order.get(i)]++;
      given++;
    }
    for (int i = 0; given > whole; i = (i + 1) % order.size()) {
      int last = order.get(order.size() - 1 - i);
      if (parts[last] > 0) {
        parts[last]--;
        given--;
      }
    }
    return parts;
  }
}
