package org.descant.synth;

import java.util.ArrayList;
import java.util.List;

/**
 * Sets the tones of chords for one part so that each voice moves as little as it can.
 *
 * <p>Every close position of every fitting choice of tones within the range is tried; the one with
 * the least total motion from the chord before wins, with a mild pull to the middle of the range.
 * Small: at most some hundred candidates a chord.
 */
final class Voicing {
  private static final double PULL = 0.35;

  private final int voices;
  private final int low;
  private final int high;
  private final boolean open;
  private List<Integer> before = List.of();

  Voicing(int voices, int low, int high, boolean open) {
    this.voices = voices;
    this.low = low;
    this.high = Math.max(high, low + 16);
    this.open = open;
  }

  /** The MIDI pitches of a chord from below; remembers them for the next call. */
  List<Integer> next(Chord chord) {
    List<Integer> best = List.of();
    double bestCost = Double.MAX_VALUE;
    for (List<Integer> tones : choices(chord)) {
      for (int rotation = 0; rotation < tones.size(); rotation++) {
        for (int floor = low; floor <= low + 12; floor++) {
          List<Integer> stack = stack(chord.root(), tones, rotation, floor);
          if (stack.getLast() > high) {
            break;
          }
          double cost = cost(stack);
          if (cost < bestCost) {
            bestCost = cost;
            best = stack;
          }
        }
      }
    }
    if (best.isEmpty()) {
      best = stack(chord.root(), choices(chord).getFirst(), 0, low);
    }
    before = best;
    return best;
  }

  /** Which tones to take: with fewer voices than tones the fifth goes first, then the root. */
  private List<List<Integer>> choices(Chord chord) {
    List<Integer> tones = chord.quality().tones;
    List<List<Integer>> choices = new ArrayList<>();
    int subsets = 1 << tones.size();
    for (int mask = 1; mask < subsets; mask++) {
      if (Integer.bitCount(mask) != Math.min(voices, tones.size())) {
        continue;
      }
      boolean third = (mask & 2) != 0;
      boolean seventh = tones.size() < 4 || (mask & 8) != 0;
      if ((third && (seventh || voices < 2)) || voices >= tones.size()) {
        List<Integer> choice = new ArrayList<>();
        for (int i = 0; i < tones.size(); i++) {
          if ((mask & (1 << i)) != 0) {
            choice.add(tones.get(i) % 12);
          }
        }
        choice.sort(null);
        choices.add(choice);
      }
    }
    return choices;
  }

  private List<Integer> stack(int root, List<Integer> tones, int rotation, int floor) {
    List<Integer> stack = new ArrayList<>();
    int pitch = floor - 1;
    for (int i = 0; i < voices; i++) {
      int pitchClass = (root + tones.get((rotation + i) % tones.size())) % 12;
      pitch += 1 + Math.floorMod(pitchClass - pitch - 1, 12);
      stack.add(pitch);
    }
    if (open && voices >= 3) {
      int dropped = stack.remove(/* index */ voices - 2) - 12;
      stack.add(0, dropped);
      stack.sort(null);
      if (stack.getFirst() < low) {
        stack.replaceAll(p -> p + 12);
      }
    }
    return stack;
  }

  private double cost(List<Integer> stack) {
    double middle = (low + high) / 2.0;
    double cost = 0;
    for (int i = 0; i < stack.size(); i++) {
      cost += PULL * Math.abs(stack.get(i) - middle);
      if (!before.isEmpty()) {
        cost += Math.abs(stack.get(i) - before.get(i));
      }
    }
    return cost;
  }
}
