package org.descant.catalog;

import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.Schema;
import javax.xml.validation.SchemaFactory;
import org.junit.jupiter.api.Assumptions;
import org.w3c.dom.ls.LSInput;
import org.xml.sax.ErrorHandler;
import org.xml.sax.SAXException;
import org.xml.sax.SAXParseException;

/**
 * DDEX's own samples and schemas, where a checkout has them beside it; they are not ours to keep.
 */
final class Ddex {
  private Ddex() {}

  /** The folder {@code shared/data} above the working folder; the test is skipped without it. */
  static Path data(String inside) {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path found = at.resolve("shared/data").resolve(inside);
      if (Files.exists(found)) {
        return found;
      }
    }
    Assumptions.abort("shared/data/" + inside + " is not here, so this is not tested");
    throw new AssertionError();
  }

  static Path sample(String name) {
    return data("ddex/ern43/" + name);
  }

  /** What the 4.3.2 schema says against a message; empty when it is valid. */
  static List<String> faults(byte[] message) throws Exception {
    Path schemas = data("ddex/xsd");
    SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
    factory.setResourceResolver((type, namespace, publicId, systemId, base) ->
        input(schemas.resolve("allowed-value-sets.xsd"), systemId));
    Schema schema = factory.newSchema(schemas.resolve("ernv432/release-notification.xsd").toFile());
    List<String> faults = new ArrayList<>();
    var validator = schema.newValidator();
    validator.setErrorHandler(
        new ErrorHandler() {
          @Override
          public void warning(SAXParseException e) {
            faults.add(e.getMessage());
          }

          @Override
          public void error(SAXParseException e) {
            faults.add("line " + e.getLineNumber() + ": " + e.getMessage());
          }

          @Override
          public void fatalError(SAXParseException e) throws SAXException {
            throw e;
          }
        });
    validator.validate(new StreamSource(new java.io.ByteArrayInputStream(message)));
    return faults;
  }

  private static LSInput input(Path file, String systemId) {
    String text;
    try {
      text = Files.readString(file, StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    return new LSInput() {
      @Override
      public Reader getCharacterStream() {
        return new StringReader(text);
      }

      @Override
      public String getSystemId() {
        return systemId;
      }

      @Override
      public String getStringData() {
        return null;
      }

      @Override
      public InputStream getByteStream() {
        return null;
      }

      @Override
      public String getPublicId() {
        return null;
      }

      @Override
      public String getBaseURI() {
        return null;
      }

      @Override
      public String getEncoding() {
        return null;
      }

      @Override
      public boolean getCertifiedText() {
        return false;
      }

      @Override
      public void setCharacterStream(Reader stream) {}

      @Override
      public void setByteStream(InputStream stream) {}

      @Override
      public void setStringData(String data) {}

      @Override
      public void setSystemId(String id) {}

      @Override
      public void setPublicId(String id) {}

      @Override
      public void setBaseURI(String uri) {}

      @Override
      public void setEncoding(String encoding) {}

      @Override
      public void setCertifiedText(boolean certified) {}
    };
  }
}
