package org.descant.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Curves as PNG pictures. Stateless. */
public final class Plots {
  /** Above this a legend hides the picture. */
  private static final int CURVES_MAX = 24;

  private Plots() {}

  /**
   * Draws pairs of curves, each run's under its label.
   *
   * @throws LabException as {@link #curves}
   */
  public static void pairs(
      String title,
      String valueLabel,
      String first,
      String second,
      List<Lab.Pair> pairs,
      Path png) {
    List<Lab.Curve> all = new ArrayList<>();
    for (Lab.Pair pair : pairs) {
      all.add(labelled(first, pair.first()));
      all.add(labelled(second, pair.second()));
    }
    curves(title, valueLabel, all, png);
  }

  private static Lab.Curve labelled(String label, Lab.Curve curve) {
    return new Lab.Curve(label + ": " + curve.name(), curve.steps(), curve.values());
  }

  /**
   * Draws curves over their steps into a PNG of 1200 × 700 pixels, written aside and renamed.
   *
   * @throws LabException without any curve that has a point, or with more than 24 curves
   */
  public static void curves(String title, String valueLabel, List<Lab.Curve> curves, Path png) {
    List<Lab.Curve> drawn = curves.stream().filter(c -> !c.steps().isEmpty()).toList();
    if (drawn.isEmpty()) {
      throw new LabException("nothing to draw for '" + title + "': no curve has a point");
    }
    if (drawn.size() > CURVES_MAX) {
      throw new LabException(
          "%d curves for '%s' are too many for one picture; choose at most %d"
              .formatted(drawn.size(), title, CURVES_MAX));
    }
    XYChart chart =
        new XYChartBuilder()
            .width(1200)
            .height(700)
            .title(title)
            .xAxisTitle("step")
            .yAxisTitle(valueLabel)
            .build();
    for (Lab.Curve curve : drawn) {
      chart.addSeries(curve.name(), curve.steps(), curve.values()).setMarker(SeriesMarkers.NONE);
    }
    try {
      Path aside = png.resolveSibling(png.getFileName() + ".tmp");
      try (var out = Files.newOutputStream(aside)) {
        BitmapEncoder.saveBitmap(chart, out, BitmapEncoder.BitmapFormat.PNG);
      }
      Files.move(aside, png, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new LabException("cannot write picture " + png + ": " + e.getMessage(), e);
    }
  }
}
