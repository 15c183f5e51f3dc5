package org.descant.models.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import org.descant.models.ModelException;
import org.descant.models.hub.HubFile.Choice;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HubReferenceTest {
  private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

  @Test
  void aReferenceNamesAnOwnerAModelAndPerhapsARevision() {
    assertThat(HubReference.parse("hf:acme/tune-2.0_x"))
        .isEqualTo(new HubReference("acme", "tune-2.0_x", "main"));
    assertThat(HubReference.parse("hf:acme/tune@refs/pr/7"))
        .isEqualTo(new HubReference("acme", "tune", "refs/pr/7"))
        .hasToString("hf:acme/tune@refs/pr/7");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "acme/tune",
        "hf:tune",
        "hf:acme/",
        "hf:/tune",
        "hf:acme/tune/file",
        "hf:../tune",
        "hf:acme/..",
        "hf:acme/.hub",
        "hf:ac--me/tune",
        "hf:acme/tune@",
        "hf:acme/tune@../../etc",
        "hf:acme/tune@a b",
        "hf:acme/tu\u202Ene",
        "hf:acme/tune\n",
        "https://host/acme/tune"
      })
  void whatIsNoReferenceIsRefusedInOneSentence(String text) {
    assertThatThrownBy(() -> HubReference.parse(text))
        .isInstanceOf(ModelException.class)
        .message()
        .endsWith(".")
        .doesNotContain("\u202E", "\n");
  }

  @Test
  void addressesAreEncodedAndKeptBelowTheHub() {
    HubEndpoint hub = HubEndpoint.parse("https://hub.example/mirror/");
    HubReference model = HubReference.parse("hf:acme/tune@refs/pr/7");

    assertThat(hub.listing(model))
        .hasToString(
            "https://hub.example/mirror/api/models/acme/tune/revision/refs%2Fpr%2F7?blobs=true");
    assertThat(hub.file(model, COMMIT, "a b/ä?#%.json"))
        .hasToString(
            "https://hub.example/mirror/acme/tune/resolve/"
                + COMMIT
                + "/a%20b/%C3%A4%3F%23%25.json");
  }

  @Test
  void theOriginIsSchemeHostAndPort() {
    HubEndpoint hub = HubEndpoint.parse("https://hub.example");

    assertThat(hub.isOrigin(URI.create("https://HUB.example:443/x"))).isTrue();
    assertThat(hub.isOrigin(URI.create("http://hub.example/x"))).isFalse();
    assertThat(hub.isOrigin(URI.create("https://hub.example:8443/x"))).isFalse();
    assertThat(hub.isOrigin(URI.create("https://hub.example.evil/x"))).isFalse();
    assertThat(hub.isPrivate()).isTrue();
    assertThat(HubEndpoint.parse("http://127.0.0.1:8000").isPrivate()).isTrue();
    assertThat(HubEndpoint.parse("http://192.0.2.1").isPrivate()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "hub.example",
        "ftp://hub.example",
        "https://me:pw@hub.example",
        "https://hub.example/?a=b",
        "https://",
        "https://hub example",
        "mailto:hub"
      })
  void whatIsNoAddressOfAHubIsRefused(String text) {
    assertThatThrownBy(() -> HubEndpoint.parse(text)).isInstanceOf(ModelException.class);
  }

  @ParameterizedTest
  @CsvSource({
    "config.json, TAKEN",
    "model-00001-of-00002.SafeTensors, TAKEN",
    "merges.txt, TAKEN",
    "unet/tokenizer.model, TAKEN",
    "spiece.model, TAKEN",
    "other.model, LEFT",
    "json, LEFT",
    "pull.json, LEFT",
    "sub/pull.json, TAKEN",
    "README.md, LEFT",
    "model.onnx, LEFT",
    "modeling_tune.py, LEFT",
    "pytorch_model.bin, PICKLE",
    "weights.PT, PICKLE",
    "a/b.ckpt, PICKLE",
    "state.pkl, PICKLE",
    "config.json.pth, PICKLE",
    "array.npy, PICKLE"
  })
  void onlyDataIsTakenAndPicklesAreNamed(String path, Choice choice) {
    assertThat(new HubFile(path, 1, null).choice()).isEqualTo(choice);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "..",
        "../x.json",
        "a/../../x.json",
        "a/./x.json",
        "/etc/x.json",
        "a//x.json",
        "a/",
        "..\\x.json",
        "C:\\x.json",
        "x\u0000.json",
        "x\n.json",
        "x\u202Egnp.json",
        "x\u2028.json",
        "x\uD800.json",
        "a/b/c/d/e/f/g/h/i.json"
      })
  void aPathThatLeadsOutOrHidesIsRefused(String path) {
    assertThatThrownBy(() -> new HubFile(path, 1, null))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("nothing was pulled");
    assertThatThrownBy(() -> new PulledModel.Entry(path, 1, "", ""))
        .isInstanceOf(ModelException.class);
  }
}
