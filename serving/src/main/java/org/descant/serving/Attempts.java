package org.descant.serving;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import org.descant.audio.Pcm;
import org.descant.serving.Clip.CreditLine;
import org.descant.serving.Clip.TransferLine;

/**
 * A finished clip on its way, which nobody hears before it is delivered. When it comes out too
 * close to a training recording, which is chance, it is made again with another seed, up to {@value
 * #ATTEMPTS_MAX} times in all. The seeds are a function of the asked one alone, so the same request
 * tries the same seeds in the same order and gives the same sound.
 *
 * <p>Each attempt goes through the door as a request of its own: it is asked again whether all
 * still agree, it has its own id, row and pending usage, and a refused one is voided before the
 * next begins. Only the clip that is delivered is paid for; it names its seed and the asked one.
 * {@link #run} and {@link #abandon} are for one thread each; see {@link Delivery.Session}.
 */
public final class Attempts {
  /** Where one clip in three is too close, one request in 27 is refused. */
  public static final int ATTEMPTS_MAX = 3;

  private final Delivery delivery;
  private final Order order;
  private final Delivery.Session first;

  Attempts(Delivery delivery, Order order, Delivery.Session first) {
    this.delivery = delivery;
    this.order = order;
    this.first = first;
  }

  /** Sees how far a clip is; called on the making thread, in order. It is given no sound. */
  public interface Watcher {
    /** So many seconds of this attempt are made. */
    void made(double seconds);

    /** One attempt was refused and voided; the next begins, with this seed. */
    void again(RefusedException refused, long seed);
  }

  /** The id of the first attempt, which is that of the clip when no other is needed. */
  public String id() {
    return first.id();
  }

  /**
   * Makes the clip.
   *
   * @throws RefusedException when somebody does not agree (any more), or when all attempts came out
   *     too close to a recording: then it says how many there were
   * @throws ServingException as {@link Delivery.Session#run}
   */
  public Clip run(Watcher watcher) {
    List<String> reasons = new ArrayList<>();
    Delivery.Session session = first;
    for (int attempt = 1; ; attempt++) {
      try {
        return session.run(new Unheard(watcher));
      } catch (RefusedException refused) {
        if (!refused.isByChance() || Boolean.FALSE.equals(order.retry())) {
          throw refused;
        }
        for (String reason : refused.reasons()) {
          reasons.add("Seed " + session.seed() + ": " + reason);
        }
        if (attempt == ATTEMPTS_MAX) {
          throw RefusedException.ofCopies(attempt, reasons);
        }
        long seed = seed(first.seed(), attempt + 1);
        watcher.again(refused, seed);
        session = delivery.open(order.withSeed(seed), attempt + 1, first.seed());
      }
    }
  }

  /** Gives the request up before it ran; does nothing when it ran already. */
  public void abandon(String reason) {
    first.abandon(reason);
  }

  /**
   * The seed of a later attempt: the first four bytes of the SHA-256 of {@code "retry/1 "}, the
   * asked seed, a space and the attempt's number, big-endian, without sign. Neighbouring seeds are
   * left to those who ask for them: a request for seed 2 is not what seed 1 falls back to.
   */
  static long seed(long asked, int attempt) {
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256")
              .digest(("retry/1 " + asked + " " + attempt).getBytes(StandardCharsets.UTF_8));
      return Integer.toUnsignedLong(ByteBuffer.wrap(hash).getInt());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /** Keeps the sound from the watcher. */
  private static final class Unheard implements Delivery.Listener {
    private final Watcher watcher;
    private double seconds;

    Unheard(Watcher watcher) {
      this.watcher = watcher;
    }

    @Override
    public void chunk(Pcm samples) {
      seconds += samples.seconds();
      watcher.made(seconds);
    }

    @Override
    public void credits(List<CreditLine> credits, boolean provisional) {}

    @Override
    public void money(long totalMicros, List<TransferLine> transfers, boolean provisional) {}
  }
}
