package org.descant.serving.web;

import java.util.List;
import org.eclipse.jetty.http.HttpStatus;

/**
 * A problem detail (RFC 9457): {@code type} is always {@code about:blank}, so the title is the
 * status.
 */
record Problem(String type, String title, int status, String detail, List<String> reasons) {
  static Problem of(int status, String detail) {
    return of(status, detail, List.of());
  }

  static Problem of(int status, String detail, List<String> reasons) {
    return new Problem("about:blank", HttpStatus.getMessage(status), status, detail, reasons);
  }
}
