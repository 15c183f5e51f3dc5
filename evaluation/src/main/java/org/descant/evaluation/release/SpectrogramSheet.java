package org.descant.evaluation.release;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.SpectrogramImage;
import org.descant.evaluation.EvaluationException;

/** Spectrograms of sounds in two columns, each under its label. Stateless. */
final class SpectrogramSheet {
  private static final int CELL_WIDTH = 620;
  private static final int CELL_HEIGHT = 140;
  private static final int LABEL_HEIGHT = 24;
  private static final int GAP = 16;

  private SpectrogramSheet() {}

  /** A sound and what it is called. */
  record Labelled(String label, Pcm sound) {}

  /** Writes the sheet as PNG; at least one sound in all. */
  static void write(List<Labelled> left, List<Labelled> right, Path file) {
    int rows = Math.max(left.size(), right.size());
    int columns = right.isEmpty() ? 1 : 2;
    BufferedImage sheet =
        new BufferedImage(
            GAP + columns * (CELL_WIDTH + GAP),
            GAP + rows * (LABEL_HEIGHT + CELL_HEIGHT + GAP),
            BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = sheet.createGraphics();
    try {
      graphics.setColor(Color.WHITE);
      graphics.fillRect(0, 0, sheet.getWidth(), sheet.getHeight());
      graphics.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      graphics.setRenderingHint(
          RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
      graphics.setFont(graphics.getFont().deriveFont(14f));
      column(graphics, left, GAP);
      column(graphics, right, 2 * GAP + CELL_WIDTH);
    } finally {
      graphics.dispose();
    }
    try {
      if (!ImageIO.write(sheet, "png", file.toFile())) {
        throw new IOException("this Java has no PNG writer");
      }
    } catch (IOException e) {
      throw new EvaluationException("Cannot write %s: %s".formatted(file, e.getMessage()), e);
    }
  }

  private static void column(Graphics2D graphics, List<Labelled> sounds, int x) {
    int y = GAP;
    for (Labelled sound : sounds) {
      graphics.setColor(Color.BLACK);
      graphics.drawString(sound.label(), x, y + LABEL_HEIGHT - 8);
      graphics.drawImage(
          SpectrogramImage.of(sound.sound()), x, y + LABEL_HEIGHT, CELL_WIDTH, CELL_HEIGHT, null);
      y += LABEL_HEIGHT + CELL_HEIGHT + GAP;
    }
  }
}
