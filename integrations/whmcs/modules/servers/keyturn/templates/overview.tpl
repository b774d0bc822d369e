{if $keyturnLines}
<dl class="keyturn">
{foreach from=$keyturnLines key=label item=line}
    <dt>{$label|escape:'html'}</dt>
    <dd>{$line|escape:'html'}</dd>
{/foreach}
</dl>
{/if}
