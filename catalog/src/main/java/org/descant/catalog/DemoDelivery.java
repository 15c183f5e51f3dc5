package org.descant.catalog;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.catalog.ErnMessage.Contribution;
import org.descant.catalog.ErnMessage.Control;
import org.descant.catalog.ErnMessage.Deal;
import org.descant.catalog.ErnMessage.DeliveredFile;
import org.descant.catalog.ErnMessage.ProprietaryId;
import org.descant.catalog.ErnMessage.Relation;
import org.descant.catalog.ErnMessage.Release;
import org.descant.catalog.ErnMessage.Sender;
import org.descant.catalog.ErnMessage.SoundRecording;
import org.descant.catalog.ErnMessage.UseType;
import org.descant.catalog.RightsFile.RecordingRights;
import org.descant.rights.Agreement;
import org.descant.rights.Choice;
import org.descant.rights.Contributor;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Use;
import org.descant.rights.Work;
import org.descant.storage.DiskSpace;
import org.descant.storage.WriteAside;
import org.descant.synth.DemoCatalogue;
import org.descant.synth.DemoTrack;
import org.descant.synth.Rendering;

/**
 * Writes the demo catalogue as a label would deliver it: an ERN 4.3.2 message, {@code rights.json},
 * and per track the mix (WAV), its stems (FLAC) and its annotations (JAMS). Label, publisher,
 * artists and writers are made up and say so.
 *
 * <p>Every case of rights is in it, by fixed dates, so that a decision as of {@link #VALID_AT} is
 * the same for ever: see {@link Case}. Everything else is granted for training, style, remixes,
 * covers and stems from {@link #FROM} on; nobody grants voice. The same code writes the same
 * message.
 */
public final class DemoDelivery {
  /** The day on which all demo agreements begin. */
  public static final LocalDate FROM = LocalDate.of(2026, 1, 1);

  /** The day as of which the demo decides. */
  public static final LocalDate VALID_AT = LocalDate.of(2026, 6, 1);

  /** The label's party id. */
  public static final String LABEL = "descant-demo-records";

  /** The publisher's party id. */
  public static final String PUBLISHER = "descant-demo-songs";

  private static final String LABEL_NAME = "Descant Demo Records (fictional)";
  private static final String PUBLISHER_NAME = "Descant Demo Songs (fictional)";
  private static final String LABEL_DPID = "PADPIDA0000010101D";
  private static final String RECIPIENT_DPID = "PADPIDA0000010102D";
  private static final String MESSAGE_ID = "descant-demo-1";
  private static final String CREATED = "2026-01-01T09:00:00Z";
  private static final String ICPN_DIGITS = "200000000001";
  private static final int ISWC_BASE = 999_000_000;
  private static final long TRACK_BYTES = 48L << 20;
  private static final Set<Use> GRANTED =
      EnumSet.of(Use.TRAIN, Use.STYLE, Use.REMIX, Use.COVER, Use.STEMS);

  /** The cases of rights that are not "everybody agrees", each on an artist or a track. */
  public enum Case {
    /** The artist says no to every use of everything. */
    ARTIST_REFUSES_ALL,
    /** The artist allows training and refuses style. */
    ARTIST_REFUSES_STYLE,
    /** One of two writers says no to every use of the work. */
    CO_WRITER_REFUSES,
    /** The label's deal has an end, {@code 2026-03-31}. */
    AGREEMENT_ENDED,
    /** The artist said yes to training on it in January and no from April on. */
    CHOICE_TAKEN_BACK,
    /** No owner is known, no work, and there is no deal. */
    NOBODY_HAS_A_RIGHT,
    /** The artist owns the master and licenses it through the label. */
    ARTIST_OWNS_MASTER,
    /** Label and artist own half of the master each. */
    MASTER_SHARED,
    /** Nothing special. */
    EVERYBODY_AGREES
  }

  private static final LocalDate ENDED_ON = LocalDate.of(2026, 3, 31);
  private static final LocalDate SAID_YES_ON = LocalDate.of(2026, 1, 15);
  private static final LocalDate TOOK_BACK_ON = LocalDate.of(2026, 4, 1);
  private static final String CO_WRITER = "Odile Farnsworth-Pike";

  /** The place of a track: its artist's among the artists, its own among the artist's. */
  private record Place(int artist, int track) {}

  private DemoDelivery() {}

  /** Writes the whole catalogue; see {@link #write(Path, Predicate, Progress)}. */
  public static List<Isrc> write(Path folder, Progress progress) {
    return write(folder, track -> true, progress);
  }

  /**
   * Writes the tracks that the filter takes, rendering on all cores. The message is written last: a
   * folder that has it is whole. When it is there and all its files are as it says, nothing is
   * rendered again.
   *
   * @return the ISRCs of the tracks
   */
  public static List<Isrc> write(Path folder, Predicate<DemoTrack> filter, Progress progress) {
    List<DemoTrack> tracks = DemoCatalogue.tracks().stream().filter(filter).toList();
    List<Isrc> isrcs = tracks.stream().map(DemoDelivery::isrc).toList();
    Path ern = folder.resolve("ern.xml");
    if (isWhole(ern, isrcs)) {
      return isrcs;
    }
    WriteAside.createFolders(folder);
    DiskSpace.require(folder, tracks.size() * TRACK_BYTES, "the demo delivery");
    Map<DemoTrack, List<Part>> parts = render(folder, tracks, progress);
    rights(tracks).write(folder.resolve(RightsFile.NAME));
    ErnWriter.write(message(parts), ern);
    return isrcs;
  }

  /** The track's ISRC: its place in the whole catalogue, whatever part of it is delivered. */
  public static Isrc isrc(DemoTrack track) {
    return Isrc.of(Identifiers.demoIsrc(number(track)));
  }

  /** The case of a track. */
  public static Case caseOf(DemoTrack track) {
    Place place = place(track);
    return switch (place.artist()) {
      case 1 -> Case.ARTIST_OWNS_MASTER;
      case 2 -> place.track() == 2 ? Case.AGREEMENT_ENDED : Case.EVERYBODY_AGREES;
      case 3 -> Case.MASTER_SHARED;
      case 4 -> Case.ARTIST_REFUSES_STYLE;
      case 5 -> place.track() == 1 ? Case.CHOICE_TAKEN_BACK : Case.EVERYBODY_AGREES;
      case 6 -> place.track() == 1 ? Case.CO_WRITER_REFUSES : Case.EVERYBODY_AGREES;
      case 8 -> place.track() == 2 ? Case.NOBODY_HAS_A_RIGHT : Case.EVERYBODY_AGREES;
      case 9 -> Case.ARTIST_REFUSES_ALL;
      default -> Case.EVERYBODY_AGREES;
    };
  }

  private static int number(DemoTrack track) {
    List<DemoTrack> all = DemoCatalogue.tracks();
    for (int i = 0; i < all.size(); i++) {
      if (all.get(i).slug().equals(track.slug())) {
        return i + 1;
      }
    }
    throw new CatalogException("The demo catalogue has no track " + track.slug() + ".");
  }

  private static Place place(DemoTrack track) {
    Map<String, Integer> tracksByArtist = new LinkedHashMap<>();
    for (DemoTrack other : DemoCatalogue.tracks()) {
      int index = tracksByArtist.merge(other.artistSlug(), 1, Integer::sum) - 1;
      if (other.slug().equals(track.slug())) {
        return new Place(tracksByArtist.size() - 1, index);
      }
    }
    throw new CatalogException("The demo catalogue has no track " + track.slug() + ".");
  }

  private static boolean isWhole(Path ern, List<Isrc> isrcs) {
    if (!Files.isRegularFile(ern) || !Files.isRegularFile(ern.resolveSibling(RightsFile.NAME))) {
      return false;
    }
    ErnMessage message = ErnReader.read(ern);
    List<String> mixes =
        message.recordings().stream().filter(r -> !r.stem()).map(SoundRecording::isrc).toList();
    if (!message.messageId().equals(MESSAGE_ID)
        || !mixes.equals(isrcs.stream().map(Isrc::value).toList())) {
      return false;
    }
    DeliveredFiles files = new DeliveredFiles(ErnDoor.folderOf(ern));
    for (SoundRecording recording : message.recordings()) {
      for (DeliveredFile file : recording.files()) {
        Path path = files.find(file.uri()).path();
        if (path == null
            || !DeliveredFiles.hashProblem(path, file.hashAlgorithm(), file.hash()).isEmpty()) {
          return false;
        }
      }
    }
    return true;
  }

  /** A written file of a track: the mix has no stem name. */
  private record Part(String stem, String uri, String sha256, double seconds) {}

  private static Map<DemoTrack, List<Part>> render(
      Path folder, List<DemoTrack> tracks, Progress progress) {
    Map<DemoTrack, List<Part>> parts = new LinkedHashMap<>();
    int cores = Math.clamp(Runtime.getRuntime().availableProcessors(), 1, 8);
    try (ExecutorService threads = Executors.newFixedThreadPool(cores)) {
      List<Future<List<Part>>> futures = new ArrayList<>();
      for (DemoTrack track : tracks) {
        futures.add(threads.submit(() -> render(folder, track)));
      }
      try {
        for (int i = 0; i < tracks.size(); i++) {
          DemoTrack track = tracks.get(i);
          parts.put(track, futures.get(i).get());
          progress.tell("%s: %s".formatted(track.artist(), track.title()), i + 1, tracks.size());
        }
      } catch (ExecutionException e) {
        threads.shutdownNow();
        if (e.getCause() instanceof RuntimeException failure) {
          throw failure;
        }
        throw new CatalogException("The demo delivery failed: " + e.getCause(), e.getCause());
      } catch (InterruptedException e) {
        threads.shutdownNow();
        Thread.currentThread().interrupt();
        throw new CatalogException("The demo delivery was interrupted; run it again.", e);
      }
    }
    return parts;
  }

  private static List<Part> render(Path folder, DemoTrack track) {
    Isrc isrc = isrc(track);
    Rendering rendering = track.render();
    List<Part> parts = new ArrayList<>();
    String mix = isrc + ".wav";
    AudioWriter.wav16(rendering.mix(), folder.resolve(mix));
    parts.add(part(folder, "", mix, rendering.mix()));
    WriteAside.createFolders(folder.resolve("stems").resolve(isrc.value()));
    rendering
        .stems()
        .forEach((name, stem) -> {
          String uri = "stems/%s/%s.flac".formatted(isrc, name);
          AudioWriter.flac(stem, folder.resolve(uri));
          parts.add(part(folder, name, uri, stem));
        });
    WriteAside.write(folder.resolve(isrc + ".jams"), rendering.truth().toJams());
    return parts;
  }

  private static Part part(Path folder, String stem, String uri, Pcm pcm) {
    return new Part(stem, uri, DeliveredFiles.sha256(folder.resolve(uri)), pcm.seconds());
  }

  private static ErnMessage message(Map<DemoTrack, List<Part>> parts) {
    Map<String, ErnMessage.Party> parties = new LinkedHashMap<>();
    parties.put(LABEL, party(LABEL, LABEL_NAME, LABEL_DPID));
    List<SoundRecording> recordings = new ArrayList<>();
    List<Release> trackReleases = new ArrayList<>();
    Map<Boolean, List<String>> releasesByEnding = new LinkedHashMap<>();
    List<String> mixes = new ArrayList<>();
    parts.forEach((track, files) -> {
      String resource = "A" + number(track);
      String release = "R" + number(track);
      people(track).forEach((id, name) -> parties.putIfAbsent(id, party(id, name, "")));
      recordings.add(mix(track, resource, files.getFirst()));
      for (Part stem : files.subList(1, files.size())) {
        recordings.add(
            stem(track, resource, "%s-%d".formatted(resource, files.indexOf(stem)), stem));
      }
      mixes.add(resource);
      trackReleases.add(trackRelease(track, release, resource));
      if (caseOf(track) != Case.NOBODY_HAS_A_RIGHT) {
        releasesByEnding
            .computeIfAbsent(caseOf(track) == Case.AGREEMENT_ENDED, ending -> new ArrayList<>())
            .add(release);
      }
    });
    List<Release> releases = new ArrayList<>();
    releases.add(album(mixes));
    releases.addAll(trackReleases);
    List<Deal> deals = new ArrayList<>();
    releasesByEnding.forEach((ending, named) -> deals.add(deal(named, ending)));
    Sender label = new Sender(LABEL_DPID, LABEL_NAME);
    return new ErnMessage(
        ErnMessage.Version.ERN_4_3_2,
        "Audio",
        "",
        false,
        MESSAGE_ID,
        CREATED,
        label,
        null,
        new Sender(RECIPIENT_DPID, "Descant (fictional recipient)"),
        List.copyOf(parties.values()),
        recordings,
        List.of(),
        releases,
        deals);
  }

  private static ErnMessage.Party party(String id, String name, String dpid) {
    return new ErnMessage.Party(
        reference(id),
        name,
        "",
        dpid,
        "",
        "",
        List.of(new ProprietaryId(ErnMessage.NAMESPACE, id)));
  }

  private static String reference(String partyId) {
    return "P-" + partyId;
  }

  /** The party that a name of a track's score stands for: its artist, or somebody else. */
  private static String id(DemoTrack track, String name) {
    return name.equals(track.artist()) ? track.artistSlug() : Text.slug(name);
  }

  /** Everybody of a track by party id: the artist, then its people by the order of the score. */
  private static Map<String, String> people(DemoTrack track) {
    Map<String, String> people = new LinkedHashMap<>();
    people.put(track.artistSlug(), track.artist());
    if (caseOf(track) != Case.NOBODY_HAS_A_RIGHT) {
      for (List<String> names : List.of(writers(track), track.performers(), track.producers())) {
        names.forEach(name -> people.putIfAbsent(id(track, name), name));
      }
    }
    return people;
  }

  /** Composers and lyricists, each once; the refused work has its second writer. */
  private static List<String> writers(DemoTrack track) {
    Set<String> writers = new LinkedHashSet<>(track.composers());
    writers.addAll(track.lyricists());
    if (caseOf(track) == Case.CO_WRITER_REFUSES) {
      writers.add(CO_WRITER);
    }
    return List.copyOf(writers);
  }

  private static SoundRecording mix(DemoTrack track, String resource, Part file) {
    boolean orphan = caseOf(track) == Case.NOBODY_HAS_A_RIGHT;
    List<Contribution> contributions = new ArrayList<>();
    contributions.add(new Contribution(reference(track.artistSlug()), "MainArtist", true));
    if (!orphan) {
      for (Contributor writer : writing(track)) {
        contributions.add(new Contribution(reference(writer.partyId()), writer.role(), false));
      }
      for (String name : track.performers()) {
        contributions.add(new Contribution(reference(id(track, name)), "Musician", false));
      }
      for (String name : track.producers()) {
        contributions.add(new Contribution(reference(id(track, name)), "StudioProducer", false));
      }
    }
    return new SoundRecording(
        resource,
        "MusicalWorkSoundRecording",
        false,
        isrc(track).value(),
        List.of(),
        track.title(),
        "",
        track.artist(),
        contributions,
        orphan ? List.of() : List.of(iswc(track)),
        controls(track),
        List.of(),
        orphan ? "" : "2026 " + LABEL_NAME,
        Math.round(file.seconds() * 1000) / 1000.0,
        "None",
        List.of(new DeliveredFile(file.uri(), "SHA-256", file.sha256())),
        List.of());
  }

  private static List<Control> controls(DemoTrack track) {
    if (caseOf(track) == Case.NOBODY_HAS_A_RIGHT) {
      return List.of(new Control(reference(LABEL), List.of("Unknown"), null));
    }
    return masterShares(track).stream()
        .map(share ->
            new Control(
                reference(share.partyId()),
                List.of("RightsController"),
                share.basisPoints() / 100.0))
        .toList();
  }

  private static List<Share> masterShares(DemoTrack track) {
    return switch (caseOf(track)) {
      case NOBODY_HAS_A_RIGHT -> List.of();
      case ARTIST_OWNS_MASTER -> List.of(Share.master(track.artistSlug(), Share.WHOLE));
      case MASTER_SHARED ->
          List.of(
              Share.master(LABEL, Share.WHOLE / 2),
              Share.master(track.artistSlug(), Share.WHOLE / 2));
      default -> List.of(Share.master(LABEL, Share.WHOLE));
    };
  }

  /** Stems are mentioned beside the release, not part of it. */
  private static SoundRecording stem(
      DemoTrack track, String mixResource, String resource, Part file) {
    return new SoundRecording(
        resource,
        "AudioStem",
        true,
        "",
        List.of(new ProprietaryId(ErnMessage.NAMESPACE, isrc(track) + "/" + file.stem())),
        file.stem(),
        "",
        track.artist(),
        List.of(new Contribution(reference(track.artistSlug()), "MainArtist", true)),
        List.of(),
        List.of(),
        List.of(),
        "",
        Math.round(file.seconds() * 1000) / 1000.0,
        "None",
        List.of(new DeliveredFile(file.uri(), "SHA-256", file.sha256())),
        List.of(new Relation("IsPartOf", mixResource)));
  }

  private static Release trackRelease(DemoTrack track, String reference, String resource) {
    return new Release(
        reference,
        true,
        "",
        "",
        "",
        List.of(new ProprietaryId(LABEL_DPID, MESSAGE_ID + "/" + track.slug())),
        track.title(),
        "",
        List.of(reference(LABEL)),
        track.genre(),
        "",
        String.join(", ", track.tags()),
        track.description(),
        List.of(resource));
  }

  private static Release album(List<String> resources) {
    return new Release(
        "R0",
        false,
        "Album",
        Identifiers.icpn(ICPN_DIGITS),
        "",
        List.of(),
        "Descant Demo Catalogue",
        "Various Artists (fictional)",
        List.of(reference(LABEL)),
        "Various",
        "",
        "",
        "",
        resources);
  }

  private static Deal deal(List<String> releases, boolean ending) {
    return new Deal(
        releases,
        List.of(Agreement.WORLDWIDE),
        false,
        FROM,
        ending ? ENDED_ON : null,
        List.of("SubscriptionModel"),
        GRANTED.stream().map(UseType::of).toList(),
        "");
  }

  private static String iswc(DemoTrack track) {
    return Identifiers.iswc(ISWC_BASE + number(track));
  }

  private static List<Contributor> writing(DemoTrack track) {
    List<Contributor> writing = new ArrayList<>();
    for (String name : writers(track)) {
      boolean lyrics = track.lyricists().contains(name);
      boolean music = !lyrics || track.composers().contains(name);
      writing.add(
          new Contributor(
              id(track, name), music ? lyrics ? "ComposerLyricist" : "Composer" : "Lyricist"));
    }
    return writing;
  }

  private static RightsFile rights(List<DemoTrack> tracks) {
    Map<String, Party> parties = new LinkedHashMap<>();
    parties.put(LABEL, new Party(LABEL, LABEL_NAME, true));
    parties.put(PUBLISHER, new Party(PUBLISHER, PUBLISHER_NAME, true));
    List<Work> works = new ArrayList<>();
    List<RecordingRights> recordings = new ArrayList<>();
    Map<String, Agreement> agreements = new LinkedHashMap<>();
    Agreement songs = licence("songs-2026", PUBLISHER);
    agreements.put(songs.id(), songs);
    List<Choice> choices = new ArrayList<>();
    for (DemoTrack track : tracks) {
      people(track).forEach((id, name) -> parties.putIfAbsent(id, new Party(id, name, true)));
      choices.addAll(choices(track));
      if (caseOf(track) == Case.NOBODY_HAS_A_RIGHT) {
        continue;
      }
      Work work = work(track);
      works.add(work);
      recordings.add(
          new RecordingRights(isrc(track), List.of(work.id()), List.of(), masterShares(track)));
      for (Contributor writer : work.contributors()) {
        Agreement own = licence("writer-%s-2026".formatted(writer.partyId()), writer.partyId());
        agreements.putIfAbsent(own.id(), own);
      }
      if (caseOf(track) == Case.MASTER_SHARED) {
        Agreement own = licence("artist-%s-2026".formatted(track.artistSlug()), track.artistSlug());
        agreements.putIfAbsent(own.id(), own);
      }
    }
    return new RightsFile(
        List.copyOf(parties.values()),
        works,
        recordings,
        List.copyOf(agreements.values()),
        choices.stream().distinct().toList());
  }

  private static Agreement licence(String id, String licensor) {
    return Agreement.licence(id, licensor, GRANTED, Scope.ALL, FROM, null);
  }

  /**
   * Half to the publisher, the other half to the writers in equal parts, the first gets the rest.
   */
  private static Work work(DemoTrack track) {
    List<Contributor> writers = writing(track);
    int half = Share.WHOLE / 2;
    int each = half / writers.size();
    List<Share> shares = new ArrayList<>();
    shares.add(Share.publishing(PUBLISHER, half));
    for (int i = 0; i < writers.size(); i++) {
      int rest = i == 0 ? half - each * writers.size() : 0;
      shares.add(Share.publishing(writers.get(i).partyId(), each + rest));
    }
    return new Work(iswc(track), track.title(), writers, shares);
  }

  private static List<Choice> choices(DemoTrack track) {
    List<Choice> choices = new ArrayList<>();
    switch (caseOf(track)) {
      case ARTIST_REFUSES_ALL -> {
        for (Use use : Use.values()) {
          choices.add(new Choice(track.artistSlug(), use, Scope.ALL, false, FROM));
        }
      }
      case ARTIST_REFUSES_STYLE -> {
        choices.add(new Choice(track.artistSlug(), Use.TRAIN, Scope.ALL, true, FROM));
        choices.add(new Choice(track.artistSlug(), Use.STYLE, Scope.ALL, false, FROM));
      }
      case CO_WRITER_REFUSES -> {
        for (Use use : Use.values()) {
          choices.add(
              new Choice(id(track, CO_WRITER), use, Scope.ofWork(iswc(track)), false, FROM));
        }
      }
      case CHOICE_TAKEN_BACK -> {
        Scope scope = Scope.of(isrc(track));
        choices.add(new Choice(track.artistSlug(), Use.TRAIN, scope, true, SAID_YES_ON));
        choices.add(new Choice(track.artistSlug(), Use.TRAIN, scope, false, TOOK_BACK_ON));
      }
      default -> {
        // Nobody has said anything; the agreements speak.
      }
    }
    return choices;
  }
}
